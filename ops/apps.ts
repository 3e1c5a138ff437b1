import { parseArgs } from "node:util";
import { appTable } from "./apps/table.ts";
import { apps } from "./cluster/apps.ts";
import { sites } from "./cluster/sites.ts";
import { runCommand } from "./lib/cli.ts";

const usage = {
  apps: `lists the apps of apps.yml: their addresses, ports and sources

No options.

Example: npm run apps`,
};

await runCommand((args) => {
  parseArgs({ args, options: {} });
  console.log(appTable(apps(), sites()));
}, usage);
