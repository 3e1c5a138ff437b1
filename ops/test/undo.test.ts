import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { drills } from "../drills/index.ts";
import { faults } from "../faults/index.ts";

// systemd-run keeps an undo as a command line of a timer's service, where systemd expands ${NAME} and $$.
test.each([...drills, ...faults].flatMap(({ name, undo }) => (undo ? [[name, undo.script]] : [])))(
  "the undo of %s is valid bash and has no variable that systemd would expand",
  (_, script = "") => {
    expect(script).not.toMatch(/\$\{|\$\$/);
    expect(spawnSync("bash", ["-n"], { input: script, encoding: "utf8" })).toMatchObject({ status: 0, stderr: "" });
  },
);
