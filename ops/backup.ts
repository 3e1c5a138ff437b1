import { backup } from "./backup/backup.ts";
import { runCommand } from "./lib/cli.ts";

const usage = {
  backup: `backs up Redis and PostgreSQL, on their host and in .halo/backups

No options.

Example: npm run backup`,
};

await runCommand(backup, usage);
