import { runCommand } from "./lib/cli.ts";

const usage = {
  drill: `causes failures under constant load and judges each by its budget

Usage: npm run drill [-- NAME ...]
Without a name: all, in about twenty minutes. Exit status 0 if every budget held.

Options:
  --list     name the drills, and do nothing
  --rate N   requests a second, 5 to 2000 (default 200)
  --https    the requests go by https
  --app APP  another app than the counter's: GETs of its health path, and a POST to ten of them

Example: npm run drill -- worker --rate 100`,
};

// Not imported above: it reads the inventory, and --help needs none.
await runCommand(async (args) => (await import("./drills/command.ts")).drill(args), usage);
