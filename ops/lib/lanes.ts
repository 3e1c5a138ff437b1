import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { reach } from "./cluster.ts";
import { attach } from "./process.ts";
import { own, root } from "./project.ts";

/** How many tests of a lane passed and failed. */
export type Count = { passed: number; failed: number };

/** Runs the tests of one vitest project on the caller's terminal, those that need hosts where these can be reached. */
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
  const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, "utf8"));
  // A file that cannot even be loaded has no test that fails.
  return { passed: numPassedTests, failed: numFailedTests || (code === 0 ? 0 : 1) };
}
