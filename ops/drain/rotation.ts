import { parseArgs } from "node:util";
import { findApp } from "../cluster/apps.ts";
import { findHost, playbook } from "../cluster/hosts.ts";
import { UserError } from "../lib/cli.ts";
import { passThrough } from "../lib/exec.ts";
import { withExtraVars } from "../lib/extraVars.ts";

/**
 * Takes the backend that the arguments name out of the balancers' rotation, or puts it back; with the name of an app, for that app alone.
 * Resolves with the exit status.
 */
export function setRotation(change: "drain" | "undrain", args: string[]): Promise<number> {
  const { positionals } = parseArgs({ args, allowPositionals: true, options: {} });
  const [name, app, more] = positionals;
  if (more !== undefined)
    throw new UserError(`${positionals.join(" ")}: one host at a time`, "name a host, and an app at most");
  const vars = { [change]: findHost(name).name, ...(app !== undefined && { app: findApp(app).name }) };
  return withExtraVars(vars, (extra) => passThrough(playbook("drain.yml", ...extra)));
}
