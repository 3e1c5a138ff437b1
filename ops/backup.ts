import { backup } from "./backup/backup.ts";
import { runCommand } from "./lib/cli.ts";

const usage = {
  backup: `backs up Redis and PostgreSQL, on their host and in .halo/backups

Usage: npm run backup [-- APP]

Without a name: the shared stores, then each app's own ones, a file for each.

Example: npm run backup`,
};

await runCommand(backup, usage);
