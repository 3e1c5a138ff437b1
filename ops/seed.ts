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
