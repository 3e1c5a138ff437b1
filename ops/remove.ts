import { remove } from "./apps/remove.ts";
import { runCommand } from "./lib/cli.ts";

const usage = {
  remove: `takes an app out of apps.yml and off the hosts; what it has stored stays

Usage: npm run remove -- APP

Its unit, its user, its releases, its settings and its pages go. Its database, the files of its Redis and .halo/secrets/apps/APP stay:
the last lines say where. The same app, added again, finds them.

No options.

Example: npm run remove -- shop`,
};

await runCommand(remove, usage);
