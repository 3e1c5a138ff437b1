import { parseArgs } from "node:util";
import { runCommand } from "./lib/cli.ts";
import { overBudget, reportSlowness, runChecks, slowness, total, totals } from "./suites/suites.ts";

const usage = {
  check: `runs every check that needs no root and no hosts

The suites: types, format, linters, unit tests, integration tests.

Each suite has a budget of time, and so have all together (ops/suites/suites.ts). A suite over its budget fails, and its slowest tests
are named. The budgets grow with the time that this machine takes for a fixed piece of work; HALO_SLOWNESS=2 doubles them.

No options.

Example: npm run check`,
};

await runCommand(async (args) => {
  parseArgs({ args, options: {} });
  const slow = slowness();
  reportSlowness(slow);
  const all = await runChecks(slow);
  const busiest = Math.max(slow, slowness()); // the machine may have become busier meanwhile
  all.failures.push(...overBudget("npm run check", performance.now() / 1000, totals.check, busiest, all.tests));
  console.log(total(all));
  return all.failures.length > 0 ? 1 : 0;
}, usage);
