import { parseArgs } from "node:util";
import { findHost, playbook } from "../cluster/hosts.ts";
import { UserError } from "../lib/cli.ts";
import { passThrough } from "../lib/exec.ts";
import { withExtraVars } from "../lib/extraVars.ts";

/** Takes the backend that the arguments name out of the balancers' rotation, or puts it back; resolves with the exit status. */
export function setRotation(change: "drain" | "undrain", args: string[]): Promise<number> {
  const [name, more] = parseArgs({ args, allowPositionals: true, options: {} }).positionals;
  if (more !== undefined) throw new UserError(`${name} ${more}: one host at a time`, "name one");
  return withExtraVars({ [change]: findHost(name).name }, (extra) => passThrough(playbook("drain.yml", ...extra)));
}
