import { rmSync } from "node:fs";
import { parseArgs } from "node:util";
import { apps, appsFile, appsText, findApp, writeAppsText } from "../cluster/apps.ts";
import { haveHosts, playbook, viaLab } from "../cluster/hosts.ts";
import { sites } from "../cluster/sites.ts";
import { UserError } from "../lib/cli.ts";
import { elapsed } from "../lib/exec.ts";
import { withExtraVars } from "../lib/extraVars.ts";
import { localPath } from "../lib/paths.ts";
import { runPlays } from "../lib/plays.ts";
import { quote } from "../lib/script.ts";
import { confirmed } from "../lib/terminal.ts";
import { nameRule, reservedNames, withoutEntry } from "./entry.ts";

const options = { purge: { type: "boolean", default: false }, yes: { type: "boolean", default: false } } as const;

/** Takes apps out of apps.yml and off the hosts; resolves with the playbook's exit status. */
export async function remove(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
  const names = [...new Set(positionals)];
  if (names.length === 0) throw new UserError("an app is needed", "npm run remove -- --help");
  // The stores of an app that was removed before can still be purged.
  const possible = (name: string) => nameRule.test(name) && !reservedNames.includes(name);
  const gone = (name: string) => values.purge && possible(name) && !apps().some((app) => app.name === name);
  const listed = names.filter((name) => !gone(name));
  for (const name of listed) refuseAnswering(name);
  const anywhere = haveHosts();
  if (anywhere) viaLab([]); // throws where they cannot be reached, before anything is changed
  const all = names.join(", ");
  const question = `Remove the databases of ${all}, their Redis' files and writable folders, the backups on the hosts and the secrets?`;
  if (values.purge && !values.yes && !(await confirmed(question, `npm run remove -- ${names.join(" ")} --purge --yes`)))
    throw new UserError("not removed", `npm run remove -- ${names.join(" ")}, which keeps them`);
  if (listed.length > 0) {
    writeAppsText(listed.reduce(withoutEntry, appsText()));
    console.log(`${listed.join(", ")}: out of ${appsFile}`);
  }
  const vars = { app_removed: names, app_purged: values.purge };
  const status = anywhere
    ? await withExtraVars(vars, (extra) => runPlays(playbook("site.yml", ...extra), "ansible"))
    : 0;
  if (status !== 0) {
    const again = playbook("site.yml", "--extra-vars", JSON.stringify(vars)).map(quote).join(" ");
    console.log(`${all}: not off all hosts, see above. Fix: correct the cause, then: ${again}`);
    return status;
  }
  for (const folder of ["releases", "installed", ...(values.purge ? ["secrets/apps"] : [])])
    for (const name of names) rmSync(localPath(folder, name), { recursive: true, force: true });
  const stay = values.purge ? "" : " Stores and secrets stay; --purge removes them.";
  console.log(
    anywhere
      ? `${all}: off the hosts, in ${elapsed()}.${stay} npm run hosts -- --write takes the name out of /etc/hosts`
      : "No hosts are up, so nothing else had to be removed",
  );
  return 0;
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
