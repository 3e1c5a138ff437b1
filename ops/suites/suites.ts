import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join, relative } from "node:path";
import { viaLab } from "../cluster/hosts.ts";
import { UserError } from "../lib/cli.ts";
import { elapsed, passThrough, tryCapture } from "../lib/exec.ts";
import { localPath, root } from "../lib/paths.ts";
import { lacking } from "../lib/programs.ts";

/** One suite of the tests: a vitest project, or a command that checks the source. */
type Suite = {
  /** Seconds on 2 cores of the machine on which Halo is developed. */
  budget: number;
  /** The programs that it starts. */
  needs?: string[];
  /** Instead of the vitest project of the same name. */
  command?: string[];
};

/** A suite that takes longer fails. Each budget is about twice the suite's usual time, so that the tests do not grow unnoticed. */
export const suites = {
  types: { budget: 40, command: ["tsc", "--noEmit"] },
  format: { budget: 30, command: ["biome", "check", "--error-on-warnings"] },
  lint: { budget: 180, needs: ["ansible-lint", "pyflakes3", "promtool", "shellcheck", "vagrant", "yamllint"] },
  unit: { budget: 240, needs: ["ansible"] },
  integration: { budget: 340, needs: ["postgres", "redis-server"] },
  life: { budget: 900 },
  system: { budget: 1500 },
  vm: { budget: 7200 },
} satisfies Record<string, Suite>;
export type SuiteName = keyof typeof suites;

/** Seconds of all suites together, for `npm run check` and `npm test`. */
export const totals = { check: 180, test: 1500 };

/**
 * The suites of `npm run check`: two rows side by side. The first one takes the CPU that the second leaves, for a request of the
 * integration tests that waits for the CPU gets a 503.
 */
export const checks: SuiteName[][] = [["types", "format", "lint", "unit"], ["integration"]];

/** One test with the seconds that it took. */
type Timed = { name: string; seconds: number };

/** How many tests of a suite passed; of each that failed its file, its name and the first line of why; the time of each. */
export type Count = { passed: number; failures: string[]; tests: Timed[] };

/** Adds a suite's count to that of all. */
export function add(all: Count, { passed, failures, tests }: Count): void {
  all.passed += passed;
  all.failures.push(...failures);
  all.tests.push(...tests);
}

/** The last lines to print: the failures once more, for they may be thousands of lines above, and how many there were. */
export const total = ({ passed, failures }: Count): string =>
  [
    ...(failures.length > 0 ? ["Failed:", ...failures.map((each) => `  ${each}`)] : []),
    `In ${elapsed()}`,
    `${passed} passed, ${failures.length} failed`,
  ].join("\n");

/**
 * For tests that make hosts, in a clone that has none: throws a UserError when a lab is running, which they would take away.
 * In CI they may: nobody but a killed run has left it there.
 */
export function refuseForeignLab(): void {
  if (!process.env.CI && tryCapture([join(root, "lab/lab"), "status", "--any"]) !== null)
    throw new UserError(
      "a lab is running that another clone may be using, and these tests would take it away",
      "npm run destroy, in any clone, ends it",
    );
}

/** Milliseconds of {@link sortAndHash} and of {@link startNode} on the machine on which the budgets were set, at rest. */
const WORK_MS = 200;
const START_MS = 200;

function sortAndHash(): void {
  let text = "halo";
  for (let i = 0; i < 400; i++) {
    const rows = Array.from({ length: 500 }, (_, row) => ({ row, text: `${text}${(row * 7919) % 500}` }));
    rows.sort((a, b) => a.text.localeCompare(b.text));
    text = createHash("md5").update(JSON.stringify(rows)).digest("hex");
  }
}

/** Most tests wait for programs that start, and a machine can be slow at that alone: page faults cost virtual machines much. */
function startNode(): void {
  for (let i = 0; i < 5; i++) spawnSync(process.execPath, ["-e", "0"]);
}

/**
 * How much longer than the budgets the tests may take here and now: 1, or more on a slower or busier machine, or one with a
 * single core. HALO_SLOWNESS sets it.
 */
export function slowness(): number {
  const given = process.env.HALO_SLOWNESS;
  if (given !== undefined) {
    if (Number(given) > 0) return Number(given);
    throw new UserError(
      `HALO_SLOWNESS is ${given}`,
      "set it to a number such as 2: every budget is twice as long then",
    );
  }
  const ratio = (work: () => void, usual: number) => {
    const since = performance.now();
    work();
    return (performance.now() - since) / usual;
  };
  const slower = Math.max(1, ratio(sortAndHash, WORK_MS), ratio(startNode, START_MS));
  return slower * Math.max(1, 2 / availableParallelism());
}

/** Prints how much longer the budgets are here; nothing on a machine as fast as the one that set them. */
export function reportSlowness(slow: number): void {
  if (slow > 1) console.log(`This machine takes ${slow.toFixed(1)} times as long now as the one that set the budgets`);
}

/** One failure where a time is over its budget, with the slowest ten tests; else none. */
export function overBudget(name: string, seconds: number, budget: number, slow: number, tests: Timed[]): string[] {
  if (seconds <= budget * slow) return [];
  const slowest = tests.toSorted((a, b) => b.seconds - a.seconds).slice(0, 10);
  const here = slow > 1 ? ` x ${slow.toFixed(1)} on this machine` : "";
  const lines = slowest.map((each) => `\n    ${each.seconds.toFixed(1)} s  ${each.name}`);
  return [
    `${name}: took ${Math.round(seconds)} s, and its budget is ${budget} s${here}${lines.length > 0 ? "; the slowest tests:" : ""}${lines.join("")}`,
  ];
}

/** The problem of a suite whose programs are not on this machine. */
const lackingFor = (name: SuiteName): UserError | undefined => lacking(name, (suites[name] as Suite).needs ?? []);

/**
 * Runs one suite on the caller's terminal or into a file, where it needs hosts there where these can be reached.
 * Throws a UserError when a signal has ended it, or when a program that it needs is not on this machine.
 *
 * @param args for vitest; a filtered run has no budget
 * @param yields whether it leaves the CPU to others
 */
export async function runSuite(
  name: SuiteName,
  { args = [], log, slow: given, yields }: { args?: string[]; log?: string; slow?: number; yields?: boolean } = {},
): Promise<Count & { seconds: number }> {
  const suite: Suite = suites[name];
  const lack = lackingFor(name);
  if (lack) throw lack;
  const budgeted = args.length === 0 && !process.env.HALO_TEST_ALL;
  const slow = given ?? (budgeted ? slowness() : 1);
  const bin = (program: string) => join(root, "node_modules/.bin", program);
  const report = localPath("reports", `${name}.json`);
  rmSync(report, { force: true });
  const vitest = ["run", "--project", name, "--reporter=default", "--reporter=json", `--outputFile=${report}`];
  const [program = "vitest", ...rest] = suite.command ?? [];
  const nice = yields ? ["nice", "-n", "19"] : [];
  const argv = [...nice, bin(program), ...(suite.command ? rest : [...vitest, ...args])];
  if (log) mkdirSync(dirname(log), { recursive: true });
  const out = log ? openSync(log, "w") : "inherit";
  const since = performance.now();
  const code = await passThrough(["system", "vm"].includes(name) ? viaLab(argv) : argv, {
    cwd: root,
    stdio: [log ? "ignore" : "inherit", out, out],
  });
  const seconds = (performance.now() - since) / 1000;
  if (typeof out === "number") closeSync(out);
  if ([129, 130, 143].includes(code)) throw new UserError(`${name} was interrupted`, "run it again");
  const count = suite.command
    ? {
        passed: code === 0 ? 1 : 0,
        failures: code === 0 ? [] : [`${name}: ${suite.command.join(" ")} failed`],
        tests: [],
      }
    : readReport(name, report, code);
  if (budgeted && seconds > suite.budget * slow)
    // The machine may have become busier meanwhile.
    count.failures.push(...overBudget(name, seconds, suite.budget, Math.max(slow, slowness()), count.tests));
  return { ...count, seconds };
}

function readReport(name: string, report: string, code: number): Count {
  if (!existsSync(report)) return { passed: 0, failures: [`${name}: vitest ended without a report`], tests: [] };
  const { numPassedTests, testResults } = JSON.parse(readFileSync(report, "utf8")) as Report;
  const place = (file: string, test: string) => `${relative(root, file)} > ${test}`;
  const failures = testResults.flatMap(({ name: file, status, message, assertionResults }) => {
    const describe = (test: string, why = "") => `${place(file, test)}: ${why.split("\n")[0]}`;
    const failed = assertionResults.filter((each) => each.status === "failed");
    if (status === "failed" && failed.length === 0) return [describe("the file itself", message)];
    return failed.map((each) => describe(each.fullName, each.failureMessages[0]));
  });
  if (code !== 0 && failures.length === 0) failures.push(`${name}: vitest ended with exit status ${code}`);
  const tests = testResults.flatMap(({ name: file, assertionResults }) =>
    assertionResults.map(({ fullName, duration }) => ({
      name: place(file, fullName),
      seconds: (duration ?? 0) / 1000,
    })),
  );
  return { passed: numPassedTests, failures, tests };
}

/**
 * Runs every suite that needs no hosts, prints each suite's time as it ends and the output of one that failed. A suite that
 * cannot run here is a failure; the others run all the same.
 */
export async function runChecks(slow: number): Promise<Count> {
  const all: Count = { passed: 0, failures: [], tests: [] };
  const say = (name: string, result: string) => console.log(`  ${name.padEnd(12)} ${result}`);
  const runRow = async (row: SuiteName[], yields: boolean) => {
    for (const name of row) {
      const lack = lackingFor(name);
      if (lack) {
        all.failures.push(`${lack.message}\n    Fix: ${lack.hint}`);
        say(name, "not run");
        continue;
      }
      const log = localPath("reports", `${name}.log`);
      const suite = await runSuite(name, { log, slow, yields });
      add(all, suite);
      const failed = suite.failures.length > 0;
      if (failed) console.log(readFileSync(log, "utf8").trimEnd());
      const budget = Math.round(suites[name].budget * slow);
      say(name, `${Math.round(suite.seconds)} s of ${budget} s${failed ? ", FAILED" : ""}`);
    }
  };
  await Promise.all(checks.map((row, i) => runRow(row, i < checks.length - 1)));
  return all;
}

type Report = {
  numPassedTests: number;
  testResults: {
    name: string;
    status: string;
    message: string;
    assertionResults: { fullName: string; status: string; duration?: number; failureMessages: string[] }[];
  }[];
};
