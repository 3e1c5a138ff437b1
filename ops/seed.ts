/**
 * Example customers with vehicles and services, for development and for tests of size:
 * `npm run seed -- --customers 1000 [--seed 1]` adds what is missing of them, `--remove` takes that seed out again.
 * Batch by batch, each a transaction of its own: cut short, the next run goes on where it was.
 */

import { runCommand } from "./lib/cli.ts";
import { seed } from "./seed/command.ts";

const usage = {
  seed: `adds example customers with vehicles and services, or removes them

Options:
  --customers N   how many the seed has then (default 1000)
  --seed N        which customers (default 1)
  --remove        remove all of that seed

Example: npm run seed -- --customers 5000 --seed 2`,
};

await runCommand(seed, usage);
