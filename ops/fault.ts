import { runCommand } from "./lib/cli.ts";

const usage = {
  fault: `causes one of the faults that diagnose knows, and undoes it

Usage: npm run fault -- NAME
Ctrl-C ends it early.

Options:
  --list        name the faults, and do nothing
  --seconds N   how long, 10 to 3600 (default 60)

Example: npm run fault -- starvation --seconds 120`,
};

// Not imported above: it reads the inventory, and --help needs none.
await runCommand(async (args) => (await import("./faults/command.ts")).fault(args), usage);
