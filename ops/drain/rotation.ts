import { parseArgs } from "node:util";
import { findApp, hostsOf } from "../cluster/apps.ts";
import { findHost, playbook } from "../cluster/hosts.ts";
import { UserError } from "../lib/cli.ts";
import { withExtraVars } from "../lib/extraVars.ts";
import { runPlays } from "../lib/plays.ts";

/**
 * Takes the backend that the arguments name out of the balancers' rotation, or puts it back; with the name of an app, for that app alone.
 * Resolves with the exit status.
 */
export function setRotation(change: "drain" | "undrain", args: string[]): Promise<number> {
  const { positionals } = parseArgs({ args, allowPositionals: true, options: {} });
  const [given, named, more] = positionals;
  if (more !== undefined)
    throw new UserError(`${positionals.join(" ")}: one host at a time`, "name a host, and an app at most");
  const { name } = findHost(given);
  const app = named === undefined ? undefined : findApp(named);
  if (app && !(app.runs && hostsOf(app).includes(name)))
    throw new UserError(
      `${app.name} does not run on ${name}`,
      app.runs ? `name one of ${hostsOf(app).join(", ")}` : "name an app with processes",
    );
  const vars = { [change]: name, ...(app && { app: app.name }) };
  return withExtraVars(vars, (extra) => runPlays(playbook("drain.yml", ...extra), "drain"));
}
