import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sh } from "../../test/lib/hosts.ts";
import { root } from "../lib/paths.ts";
import { resize } from "../scale/plan.ts";
import { workOf } from "../scale/work.ts";

// A clone with a stand-in for Vagrant, which writes down its inventory and its arguments.
const clone = mkdtempSync(join(tmpdir(), "halo-clone-"));
const committed = join(root, "ansible/inventory/hosts.yml");
const state = join(clone, ".halo/scale.json");
beforeAll(() => {
  for (const each of readdirSync(join(root, "ops")).filter((name) => name !== "test"))
    cpSync(join(root, "ops", each), join(clone, "ops", each), { recursive: true });
  writeFileSync(join(clone, "package.json"), '{"type": "module"}');
  for (const folder of ["node_modules", "bin", ".halo"]) mkdirSync(join(clone, folder));
  symlinkSync(join(root, "node_modules/yaml"), join(clone, "node_modules/yaml"));
  writeFileSync(join(clone, "bin/vagrant"), `#!/bin/sh\necho "$HALO_INVENTORY" "$@" >>calls\n`);
  chmodSync(join(clone, "bin/vagrant"), 0o755);
});
afterAll(() => rmSync(clone, { recursive: true }));

async function down() {
  rmSync(join(clone, "calls"), { force: true });
  const env = { HALO_LAB: "1", HALO_INVENTORY: committed, PATH: `${join(clone, "bin")}:${process.env.PATH}` };
  const { code, output } = await sh([process.execPath, join(clone, "ops/down.ts")], env);
  expect(code, output).toBe(0);
  return { output, calls: readFileSync(join(clone, "calls"), "utf8").trim().split("\n") };
}

test("npm run down halts also the machines of a scale that was cut short, and says so", async () => {
  writeFileSync(state, JSON.stringify(workOf(resize(readFileSync(committed, "utf8"), 3)).unfinished));
  const { output, calls } = await down();
  expect(calls).toEqual([`${state} halt backend3`, `${committed} halt`]);
  expect(output).toMatch(
    /Note: npm run scale was cut short while it worked on backend3\. Fix: npm run scale -- backends=N/,
  );
  rmSync(state);
  expect((await down()).output).not.toContain("scale");
});
