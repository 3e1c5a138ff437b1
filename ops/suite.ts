/**
 * One suite of tests by itself: `npm run test:system -- FILTER`; a cluster is brought up where the suite
 * needs one, and destroyed afterwards, whatever happened, if it was not there before.
 */
import { existingProvider } from "./cluster/provider.ts";
import { runCommand } from "./lib/cli.ts";
import { passThrough } from "./lib/exec.ts";
import { add, type Count, refuseForeignLab, runSuite, type SuiteName, total } from "./suites/suites.ts";

const usage = {
  "test:lint": `checks types and format and runs the linters of every language

Usage: npm run test:lint [-- FILTER ...]
Arguments go to vitest: part of a file's path, or -t and part of a test's name.

Example: npm run test:lint -- -t shellcheck`,
  "test:unit": `runs the unit tests; needs no hosts

Usage: npm run test:unit [-- FILTER ...]
Arguments go to vitest: part of a file's path, or -t and part of a test's name.

Example: npm run test:unit -- releases`,
  "test:integration": `runs the service's tests with real servers on loopback; needs no hosts

Usage: npm run test:integration [-- FILTER ...]
Arguments go to vitest: part of a file's path, or -t and part of a test's name.

Example: npm run test:integration -- crud`,
  "test:system": `runs the whole-system tests on the hosts that are up, or on its own

On hosts that are up it replaces their visits and customers.

Usage: npm run test:system [-- FILTER ...]
Arguments go to vitest: part of a file's path, or -t and part of a test's name.

Example: npm run test:system -- contract`,
  "test:vm": `runs the tests that need a real kernel; about an hour on emulated VMs

Usage: npm run test:vm [-- FILTER ...]
Arguments go to vitest: part of a file's path, or -t and part of a test's name.

Example: npm run test:vm`,
};

const all: Record<string, SuiteName[]> = { lint: ["types", "format", "lint"] };

await runCommand(
  async ([suite = "unit", ...args]) => {
    const names = args.length === 0 ? (all[suite] ?? [suite as SuiteName]) : [suite as SuiteName];
    const up = { system: ["up"], vm: ["up", "--provider=libvirt"] }[suite];
    const mine = up !== undefined && existingProvider() === null;
    if (mine) refuseForeignLab();
    const count: Count = { passed: 0, failures: [], tests: [] };
    try {
      if (up && (await passThrough(["ops/run", ...up])) !== 0) return 1;
      for (const name of names) add(count, await runSuite(name, { args }));
    } finally {
      if (mine) await passThrough(["ops/run", "destroy", "--keep-image"]);
    }
    console.log(total(count));
    return count.failures.length > 0 ? 1 : 0;
  },
  usage,
  { passThrough: true },
);
