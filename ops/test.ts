/** Everything that CI checks: set-up, lints, unit and integration tests, and a whole container cluster's life. */
import { parseArgs } from "node:util";
import { existingProvider } from "./cluster/provider.ts";
import { runCommand, UserError } from "./lib/cli.ts";
import { elapsed, passThrough, step } from "./lib/exec.ts";
import {
  add,
  overBudget,
  refuseForeignLab,
  reportSlowness,
  runChecks,
  runSuite,
  type SuiteName,
  slowness,
  total,
  totals,
} from "./suites/suites.ts";

const usage = {
  test: `runs everything that CI checks, on hosts of its own

It removes them at the end, and does not begin while hosts are up.

No options.

Example: npm test`,
  "test:all": `runs npm test with every fault and every slow file, for a night

No options.

Example: npm run test:all`,
};

const suites: SuiteName[] = ["life", "system"];
const packages =
  "ansible-lint yamllint shellcheck pyflakes3 redis-tools postgresql prometheus chromium curl nftables iproute2 wrk libnss3-tools".split(
    " ",
  );

await runCommand(async ([which, ...args]) => {
  parseArgs({ args: which === undefined || which === "all" ? args : [which], options: {} });
  if (which === "all") process.env.HALO_TEST_ALL = "1"; // vitest.config.ts and the tests read it
  if (existingProvider())
    throw new UserError(
      "hosts are up, and these tests begin with nothing",
      "npm run destroy first; or, on these hosts, whose visits and customers it replaces: npm run test:system",
    );
  refuseForeignLab();
  await step("Install the tests' packages", "test-packages", [
    "ops/install-packages",
    ...packages,
    "vagrant",
    "ansible-core",
  ]);
  let slow = slowness();
  reportSlowness(slow);
  console.log(`\nWithout hosts (${elapsed()})`);
  const all = await runChecks(slow);
  try {
    for (const suite of suites) {
      console.log(`\n${suite} (${elapsed()})`);
      slow = Math.max(slow, slowness()); // the machine may have become busier meanwhile
      const result = await runSuite(suite, { slow });
      add(all, result);
      if (suite === "life" && result.failures.length > 0) {
        console.log("The system suite is left out: it needs the cluster that life brings up.");
        break;
      }
    }
  } finally {
    await passThrough(["ops/run", "destroy"]);
  }
  if (!process.env.HALO_TEST_ALL)
    all.failures.push(
      ...overBudget("npm test", performance.now() / 1000, totals.test, Math.max(slow, slowness()), all.tests),
    );
  console.log(total(all));
  return all.failures.length > 0 ? 1 : 0;
}, usage);
