import { runCommand } from "./lib/cli.ts";
import { scale } from "./scale/command.ts";

const usage = {
  scale: `adds backends, or drains and destroys some, until there are N

Usage: npm run scale -- backends=N

More: adds them to the inventory, boots them and configures all hosts. Fewer: drains the ones with the highest numbers, takes them
out of the inventory and of every host's configuration, and destroys their machines. The same command again finishes a run that
was cut short. It is for Vagrant's machines; docs/operations/servers.md is about servers of your own.

Options:
  --yes   do not ask before machines are destroyed

Example: npm run scale -- backends=3`,
};

await runCommand(scale, usage);
