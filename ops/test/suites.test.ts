import {
  chmodSync,
  cpSync,
  existsSync,
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
import { afterEach, beforeEach, expect, test } from "vitest";
import { sh } from "../../test/lib/hosts.ts";
import { root } from "../lib/paths.ts";
import { overBudget } from "../suites/suites.ts";

// A clone in which the lab, vitest and the commands that make hosts are stand-ins, which write down that they were called.
let clone = "";
const calls = () =>
  existsSync(join(clone, "calls")) ? readFileSync(join(clone, "calls"), "utf8").trim().split("\n") : [];
function stand(file: string, script: string): void {
  mkdirSync(join(clone, file, ".."), { recursive: true });
  writeFileSync(join(clone, file), `#!/bin/sh\n${script}\n`);
  chmodSync(join(clone, file), 0o755);
}
/** Runs one of the commands there, not as CI, with budgets that no stand-in exceeds. */
const run = (name: string, ...args: string[]) => runWith({}, name, ...args);
const runWith = (env: NodeJS.ProcessEnv, name: string, ...args: string[]) =>
  sh(["/bin/sh", "-c", 'cd "$0" && exec "$@"', clone, process.execPath, `ops/${name}.ts`, ...args], {
    CI: "",
    HALO_LAB: "",
    HALO_SLOWNESS: "100",
    HALO_TEST_ALL: "",
    ...env,
  });
/** A report of vitest with one test that passed in so many seconds. */
const passed = (name: string, seconds: number) =>
  JSON.stringify({
    numPassedTests: 1,
    testResults: [
      {
        name: join(clone, "a.test.ts"),
        status: "passed",
        message: "",
        assertionResults: [{ fullName: name, status: "passed", duration: seconds * 1000, failureMessages: [] }],
      },
    ],
  });

beforeEach(() => {
  clone = mkdtempSync(join(tmpdir(), "halo-clone-"));
  for (const each of readdirSync(join(root, "ops")).filter((name) => name !== "test"))
    cpSync(join(root, "ops", each), join(clone, "ops", each), { recursive: true });
  writeFileSync(join(clone, "package.json"), '{"type": "module"}');
  mkdirSync(join(clone, "node_modules"));
  symlinkSync(join(root, "node_modules/yaml"), join(clone, "node_modules/yaml"));
  stand("lab/lab", "[ $1 != status ]"); // none is running
  stand("ops/run", 'echo "$1" >>calls');
});
afterEach(() => rmSync(clone, { recursive: true }));

test("the lab of another clone is not taken away", async () => {
  stand("lab/lab", "echo docker");
  for (const [name, ...args] of [["test"], ["suite", "system"]] as const)
    expect([name, await run(name, ...args)]).toEqual([
      name,
      { code: 1, output: expect.stringMatching(/a lab is running[\s\S]*npm run destroy/) },
    ]);
  expect(calls()).toEqual([]);
});

test("a suite takes the hosts away that it has made when `up` fails", async () => {
  stand("ops/run", 'echo "$1" >>calls; [ "$1" != up ]');
  expect(await run("suite", "system")).toEqual({ code: 1, output: "" });
  expect(calls()).toEqual(["up", "destroy"]);
});

test("a vitest that ends without a report is one failure", async () => {
  stand("node_modules/.bin/vitest", "exit 1");
  expect(await run("suite", "unit")).toEqual({ code: 1, output: expect.stringContaining("\n0 passed, 1 failed") });
});

test("each failure is printed again at the end: where, which and why", async () => {
  const report = {
    numPassedTests: 3,
    testResults: [
      {
        name: join(clone, "a.test.ts"),
        status: "failed",
        message: "",
        assertionResults: [
          { fullName: "adds", status: "passed", failureMessages: [] },
          { fullName: "divides", status: "failed", failureMessages: ["Error: by zero\n    at a.ts"] },
        ],
      },
      { name: join(clone, "b.test.ts"), status: "failed", message: "no such module", assertionResults: [] },
    ],
  };
  writeFileSync(join(clone, "report.json"), JSON.stringify(report));
  stand("node_modules/.bin/vitest", "mkdir -p .halo/reports; cp report.json .halo/reports/unit.json; exit 1");
  const { code, output } = await run("suite", "unit");
  expect(code).toBe(1);
  expect(output).toContain(
    "Failed:\n  a.test.ts > divides: Error: by zero\n  b.test.ts > the file itself: no such module\n",
  );
  expect(output).toMatch(/\n3 passed, 2 failed\n$/);
});

test("a suite that is interrupted says so, and nothing goes on", async () => {
  stand("node_modules/.bin/vitest", "kill -INT $$");
  expect(await run("suite", "unit")).toEqual({
    code: 1,
    output: expect.stringContaining("unit was interrupted"),
  });
});

test("a suite over its budget fails, and its slowest tests are named", async () => {
  writeFileSync(join(clone, "report.json"), passed("adds slowly", 7));
  stand("node_modules/.bin/vitest", "mkdir -p .halo/reports; cp report.json .halo/reports/unit.json");
  expect(await runWith({ HALO_SLOWNESS: "0.00001" }, "suite", "unit")).toEqual({
    code: 1,
    output: expect.stringMatching(
      /unit: took \d+ s, and its budget is \d+ s; the slowest tests:\n +7\.0 s {2}a\.test\.ts > adds slowly\n/,
    ),
  });
  expect((await run("suite", "unit")).code).toBe(0);
  expect((await runWith({ HALO_SLOWNESS: "0.00001" }, "suite", "unit", "a.test.ts")).code).toBe(0); // a suite has no budget
});

test("ten tests are named at most, and the machine's slowness where it has one", () => {
  const tests = Array.from({ length: 12 }, (_, i) => ({ name: `t${i}`, seconds: i }));
  expect(overBudget("unit", 100, 60, 2, tests)).toEqual([]);
  const [said = ""] = overBudget("unit", 130, 60, 2, tests);
  expect(said.split("\n")[0]).toBe(
    "unit: took 130 s, and its budget is 60 s x 2.0 on this machine; the slowest tests:",
  );
  expect(
    said
      .split("\n")
      .slice(1)
      .map((line) => line.trim()),
  ).toEqual([11, 10, 9, 8, 7, 6, 5, 4, 3, 2].map((i) => `${i}.0 s  t${i}`));
});

test("npm run check runs the checks that it can, and fails with the fix for programs that this machine has not", async () => {
  for (const file of ["tsc", "biome"]) stand(`node_modules/.bin/${file}`, "");
  writeFileSync(join(clone, "report.json"), passed("counts", 0));
  stand("node_modules/.bin/vitest", "cp report.json .halo/reports/$3.json");
  mkdirSync(join(clone, "bin"));
  for (const tool of ["sh", "cp", "nice"]) symlinkSync(`/bin/${tool}`, join(clone, "bin", tool));
  const { code, output } = await runWith({ PATH: join(clone, "bin") }, "check");
  expect(output).toMatch(/^ {2}types +\d+ s of \d+ s$/m);
  expect(output).toMatch(/^ {2}integration +\d+ s of \d+ s$/m);
  expect(output).toMatch(/^ {2}lint +not run$/m);
  expect(output).toMatch(
    /lint needs ansible-lint, .*yamllint, which this machine has not\n +Fix: .*apt-get install .*shellcheck/,
  );
  expect(output).toMatch(/\n3 passed, 2 failed\n$/);
  expect(code).toBe(1);
});

test("a check that fails prints the suite's output, and the others run all the same", async () => {
  for (const file of ["tsc", "biome"]) stand(`node_modules/.bin/${file}`, "");
  stand("node_modules/.bin/tsc", "echo a.ts is wrong; exit 2");
  writeFileSync(join(clone, "report.json"), passed("counts", 0));
  stand("node_modules/.bin/vitest", "cp report.json .halo/reports/$3.json");
  const { code, output } = await run("check");
  expect(output).toMatch(/a\.ts is wrong\n {2}types +\d+ s of \d+ s, FAILED\n/);
  expect(output).toMatch(/Failed:\n {2}types: tsc --noEmit failed\n/);
  expect(output).toMatch(/\n4 passed, 1 failed\n$/);
  expect(code).toBe(1);
});

test("a check that is interrupted says so, and no other suite begins", async () => {
  for (const file of ["tsc", "biome"]) stand(`node_modules/.bin/${file}`, `echo ${file} >>calls`);
  stand("node_modules/.bin/tsc", "kill -INT $$");
  stand("node_modules/.bin/vitest", "kill -INT $$");
  const { code, output } = await run("check");
  expect(output).toMatch(/halo: (types|integration) was interrupted\nFix: run it again\n$/);
  expect(code).toBe(1);
  expect(calls()).toEqual([]);
});

test("destroy takes no password of servers that it does not remove", async () => {
  const host = (n: number, groups: string) =>
    `${groups}: {hosts: {h${n}: {private_ip: 10.0.0.${n}, memory: 1024, cpus: 1, ansible_user: root}}}`;
  stand(".halo/secrets/metrics", "");
  writeFileSync(
    join(clone, "servers.yml"),
    `all: {children: {${[host(1, "balancers"), host(2, "backends"), host(1, "monitoring")].join(", ")}}}`,
  );
  expect(await runWith({ HALO_INVENTORY: "servers.yml" }, "destroy")).toEqual({
    code: 1,
    output: expect.stringMatching(/servers of your own[\s\S]*\nFix: without HALO_INVENTORY/),
  });
  expect(existsSync(join(clone, ".halo/secrets/metrics"))).toBe(true);
});

test("destroy keeps the addresses that a person has put beside the generated passwords, backups and reports", async () => {
  for (const file of ["secrets/alert_slack", "secrets/metrics", "backups/a.tar", "reports/a.md", "logs/a.log"])
    stand(`.halo/${file}`, "");
  expect((await run("destroy")).code).toBe(0);
  expect(readdirSync(join(clone, ".halo"), { recursive: true }).sort()).toEqual([
    "backups",
    "backups/a.tar",
    "reports",
    "reports/a.md",
    "secrets",
    "secrets/alert_slack",
  ]);
});
