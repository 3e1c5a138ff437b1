import { existsSync, readFileSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { reach } from "./cluster.ts";
import { Problem } from "./problem.ts";
import { ask, attach, elapsed } from "./process.ts";
import { own, root } from "./project.ts";

/** How many tests of a lane passed; of each that failed its file, its name and the first line of why. */
export type Count = { passed: number; failures: string[] };

/** What is printed last: the failures once more, for they may be thousands of lines above, and how many there were. */
export const total = ({ passed, failures }: Count): string =>
  [
    ...(failures.length > 0 ? ["Failed:", ...failures.map((each) => `  ${each}`)] : []),
    `In ${elapsed()}`,
    `${passed} passed, ${failures.length} failed`,
  ].join("\n");

/**
 * For tests that make hosts, in a clone that has none: throws a Problem when a lab is running, which they would take away.
 * In CI they may: nobody but a killed run has left it there.
 */
export function refuseForeignLab(): void {
  if (!process.env.CI && ask([join(root, "lab/lab"), "status", "--any"]) !== null)
    throw new Problem(
      "a lab is running that another clone may be using, and these tests would take it away",
      "npm run destroy, in any clone, ends it",
    );
}

/**
 * Runs the tests of one vitest project on the caller's terminal, those that need hosts where these can be reached.
 * Throws a Problem when a signal has ended them.
 */
export async function runLane(lane: string, args: string[] = []): Promise<Count> {
  const report = own("reports", `${lane}.json`);
  rmSync(report, { force: true });
  const vitest = [
    join(root, "node_modules/.bin/vitest"),
    "run",
    "--project",
    lane,
    "--reporter=default",
    "--reporter=json",
    `--outputFile=${report}`,
  ];
  const code = await attach(["system", "vm"].includes(lane) ? reach([...vitest, ...args]) : [...vitest, ...args], {
    cwd: root,
  });
  if ([129, 130, 143].includes(code)) throw new Problem(`the lane ${lane} was interrupted`, "run it again");
  if (!existsSync(report)) return { passed: 0, failures: [`${lane}: vitest ended without a report`] };
  const { numPassedTests, testResults } = JSON.parse(readFileSync(report, "utf8")) as Report;
  const failures = testResults.flatMap(({ name, status, message, assertionResults }) => {
    const told = (test: string, why = "") => `${relative(root, name)} > ${test}: ${why.split("\n")[0]}`;
    const failed = assertionResults.filter((each) => each.status === "failed");
    if (status === "failed" && failed.length === 0) return [told("the file itself", message)];
    return failed.map((each) => told(each.fullName, each.failureMessages[0]));
  });
  if (code !== 0 && failures.length === 0) failures.push(`${lane}: vitest ended with exit status ${code}`);
  return { passed: numPassedTests, failures };
}

type Report = {
  numPassedTests: number;
  testResults: {
    name: string;
    status: string;
    message: string;
    assertionResults: { fullName: string; status: string; failureMessages: string[] }[];
  }[];
};
