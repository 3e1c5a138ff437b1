import { remove } from "./apps/remove.ts";
import { runCommand } from "./lib/cli.ts";

const usage = {
  remove: `takes an app out of apps.yml and off the hosts; its stores stay

Usage: npm run remove -- APP...

Its unit, its user, its releases, its settings and its pages go. Its database, the files of its Redis, their backups and
.halo/secrets/apps/APP stay. The same entry, added again, finds them.

Options:
  --purge   remove them as well, now or after a removal without it; the copies in .halo/backups stay
  --yes     do not ask

Example: npm run remove -- shop`,
};

await runCommand(remove, usage);
