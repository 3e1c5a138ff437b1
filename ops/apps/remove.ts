import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { appsFile, appsText, findApp } from "../cluster/apps.ts";
import { playbook } from "../cluster/hosts.ts";
import { sites } from "../cluster/sites.ts";
import { UserError } from "../lib/cli.ts";
import { elapsed, passThrough } from "../lib/exec.ts";
import { withExtraVars } from "../lib/extraVars.ts";
import { root } from "../lib/paths.ts";
import { withoutEntry } from "./entry.ts";

/** Takes an app out of apps.yml and off the hosts; resolves with the playbook's exit status. */
export async function remove(args: string[]): Promise<number> {
  const { positionals } = parseArgs({ args, options: {}, allowPositionals: true });
  const [name, more] = positionals;
  if (name === undefined || more !== undefined) throw new UserError("one app is needed", "npm run remove -- --help");
  const app = findApp(name);
  const own = sites().filter(({ service, domain }) => service === app.name && !app.domains.includes(domain));
  if (own.length > 0)
    throw new UserError(
      `${own.map(({ domain }) => domain).join(", ")} of sites.yml is answered by ${app.name}`,
      "take it out of ansible/group_vars/all/sites.yml first",
    );
  writeFileSync(join(root, appsFile), withoutEntry(appsText(), app.name));
  console.log(`${app.name} is out of ${appsFile}`);
  const status = await withExtraVars({ app_removed: app.name }, (extra) => passThrough(playbook("site.yml", ...extra)));
  console.log(
    status === 0
      ? `${app.name} is off the hosts, in ${elapsed()}`
      : `${app.name} is not off all hosts, see above. Fix: correct the cause, then in ansible/: ansible-playbook site.yml -e app_removed=${app.name}`,
  );
  return status;
}
