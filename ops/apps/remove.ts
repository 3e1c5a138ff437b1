import { rmSync } from "node:fs";
import { parseArgs } from "node:util";
import { apps, appsFile, appsText, findApp, writeAppsText } from "../cluster/apps.ts";
import { playbook } from "../cluster/hosts.ts";
import { sites } from "../cluster/sites.ts";
import { UserError } from "../lib/cli.ts";
import { elapsed, passThrough } from "../lib/exec.ts";
import { withExtraVars } from "../lib/extraVars.ts";
import { localPath } from "../lib/paths.ts";
import { confirmed } from "../lib/terminal.ts";
import { nameRule, withoutEntry } from "./entry.ts";

const options = { purge: { type: "boolean", default: false }, yes: { type: "boolean", default: false } } as const;

/** Takes an app out of apps.yml and off the hosts; resolves with the playbook's exit status. */
export async function remove(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
  const [name, more] = positionals;
  if (name === undefined || more !== undefined) throw new UserError("one app is needed", "npm run remove -- --help");
  // The stores of an app that was removed before can still be purged.
  const gone = values.purge && nameRule.test(name) && !apps().some((app) => app.name === name);
  if (!gone) refuseAnswering(name);
  const question = `Remove the database of ${name}, its Redis' file, their backups on the hosts and its secrets?`;
  if (values.purge && !values.yes && !(await confirmed(question, `npm run remove -- ${name} --purge --yes`)))
    throw new UserError("not removed", `npm run remove -- ${name}, which keeps them`);
  if (!gone) {
    writeAppsText(withoutEntry(appsText(), name));
    console.log(`${name} is out of ${appsFile}`);
  }
  const vars = { app_removed: name, ...(values.purge && { app_purged: true }) };
  const status = await withExtraVars(vars, (extra) => passThrough(playbook("site.yml", ...extra)));
  if (status === 0)
    for (const folder of ["releases", "installed", ...(values.purge ? ["secrets/apps"] : [])])
      rmSync(localPath(folder, name), { recursive: true, force: true });
  const again = Object.entries(vars).map(([key, value]) => `-e ${key}=${value}`);
  console.log(
    status === 0
      ? `${name} is off the hosts, in ${elapsed()}`
      : `${name} is not off all hosts, see above. Fix: correct the cause, then in ansible/: ansible-playbook site.yml ${again.join(" ")}`,
  );
  return status;
}

/** Throws a UserError for an unknown app, and for one that a site of sites.yml leads to. */
function refuseAnswering(name: string): void {
  const app = findApp(name);
  const own = sites().filter(({ service, domain }) => service === app.name && !app.domains.includes(domain));
  if (own.length > 0)
    throw new UserError(
      `${own.map(({ domain }) => domain).join(", ")} of sites.yml is answered by ${app.name}`,
      "take it out of ansible/group_vars/all/sites.yml first",
    );
}
