/**
 * Makes one of the causes that `npm run diagnose` names, under a modest load, and puts everything back:
 * `npm run fault -- NAME [--seconds 60]`, `-- --list`. Ctrl-C ends it early. Should nobody be left to end it, the hosts
 * put themselves right.
 */
import { runCommand } from "./lib/cli.ts";

const usage = {
  fault: `causes one of the faults that diagnose knows, and undoes it

Usage: npm run fault -- NAME

Options:
  --list        name the faults, and do nothing
  --seconds N   how long, 10 to 3600 (default 60)

Example: npm run fault -- starvation --seconds 120`,
};

// Not imported above: it reads the inventory, and --help needs none.
await runCommand(async (args) => (await import("./faults/command.ts")).fault(args), usage);
