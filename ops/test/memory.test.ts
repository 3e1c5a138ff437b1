import { expect, test } from "vitest";
import { memoryFor } from "../cluster/memory.ts";

test.each([
  ["docker", 1.5, /containers need about 1\.5 GiB/],
  ["virtualbox", 4, /hosts want 3\.0 GiB and this machine 1 more/],
  ["libvirt", 4, /hosts want 3\.0 GiB and this machine 1 more/],
  [undefined, 4, /hosts want 3\.0 GiB/],
] as const)("with %s, hosts with 3 GiB in the inventory need %d GiB", (provider, needed, hint) => {
  expect(memoryFor(provider, 3)).toEqual({ needed, hint: expect.stringMatching(hint) });
});
