import { parseArgs, parseEnv } from "node:util";
import { findApp } from "../cluster/apps.ts";
import { remote } from "../cluster/hosts.ts";
import { UserError } from "../lib/cli.ts";
import { captureBytes } from "../lib/exec.ts";
import { hostOf } from "./host.ts";

const secret = /PASSWORD|SECRET|TOKEN|KEY|_URL$/;

/** The variables of a settings file, one a line; the values of secrets are hidden unless they are to be shown. */
export const envLines = (text: string, names: string[], show: boolean): string[] =>
  Object.entries(parseEnv(text)).map(
    ([name, value]) => `${name}=${show || !(secret.test(name) || names.includes(name)) ? value : "(hidden: --show)"}`,
  );

/** Prints the variables that an app gets. */
export function env(args: string[]): void {
  const options = { show: { type: "boolean", default: false } } as const;
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
  const [name, more] = positionals;
  if (name === undefined || more !== undefined) throw new UserError("one app is needed", "npm run env -- --help");
  const app = findApp(name);
  const text = String(captureBytes(remote(hostOf(app), "sudo", "cat", app.settings)));
  console.log(envLines(text, app.entry.secrets ?? [], values.show).join("\n"));
}
