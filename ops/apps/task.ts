import { findApp } from "../cluster/apps.ts";
import { ssh } from "../cluster/hosts.ts";
import { UserError } from "../lib/cli.ts";
import { passThrough } from "../lib/exec.ts";
import { quote } from "../lib/script.ts";
import { hostOf } from "./host.ts";

/** Runs a command of an app's; resolves with its exit status. */
export function task([name, ...command]: string[]): Promise<number> {
  if (name === undefined || command.length === 0)
    throw new UserError("an app and a command are needed", "npm run task -- --help");
  const app = findApp(name);
  return passThrough(ssh(hostOf(app), "sudo", "halo-release", app.name, "task", quote(command.join(" "))));
}
