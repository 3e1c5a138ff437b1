import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { reach } from "./cluster.ts";
import { Problem } from "./problem.ts";
import { ask, attach } from "./process.ts";
import { own, root } from "./project.ts";

/** How many tests of a lane passed and failed. */
export type Count = { passed: number; failed: number };

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
  if (!existsSync(report)) return { passed: 0, failed: 1 };
  const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, "utf8"));
  // A file that cannot even be loaded has no test that fails.
  return { passed: numPassedTests, failed: numFailedTests || (code === 0 ? 0 : 1) };
}
