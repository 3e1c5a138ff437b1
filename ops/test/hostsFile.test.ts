import { expect, test } from "vitest";
import { withLines } from "../hosts/hostsFile.ts";

const machine = "127.0.0.1 localhost\n# halo of a saint\n\n::1 localhost\n";

test("the lines come last, marked; a second time nothing changes; taken out, the file is as before", () => {
  const once = withLines(machine, ["192.168.56.10 a.test"]);
  expect(once).toBe(`${machine}192.168.56.10 a.test # halo\n`);
  expect(withLines(once, ["192.168.56.10 a.test"])).toBe(once);
  expect(withLines(once, [])).toBe(machine);
});

test("an older line of Halo's is replaced, a person's own stays", () => {
  const old = `192.168.56.99 a.test # halo\n10.0.0.1 mine`;
  expect(withLines(old, ["192.168.56.10 a.test"])).toBe("10.0.0.1 mine\n192.168.56.10 a.test # halo\n");
});
