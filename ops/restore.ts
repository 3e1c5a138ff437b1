import { restore } from "./backup/restore.ts";
import { runCommand } from "./lib/cli.ts";

const usage = {
  restore: `replaces the data of Redis and PostgreSQL by a backup's; asks first

Usage: npm run restore -- FILE

A backup of an app's own stores replaces the data of that app.

Options:
  --yes   do not ask

Example: npm run restore -- .halo/backups/FILE.tar`,
};

await runCommand(restore, usage);
