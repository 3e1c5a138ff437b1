import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { relative } from "node:path";
import { parseArgs, parseEnv } from "node:util";
import { type App, appsFile, appsText, type Entry, findApp, writeAppsText } from "../cluster/apps.ts";
import { remote } from "../cluster/hosts.ts";
import { UserError } from "../lib/cli.ts";
import { captureBytes } from "../lib/exec.ts";
import { localPath, root } from "../lib/paths.ts";
import { readSecret } from "../lib/terminal.ts";
import { withSecret } from "./entry.ts";
import { hostOf } from "./host.ts";

const secret = /PASSWORD|SECRET|TOKEN|KEY|_URL$/;
const variable = /^[A-Za-z_]\w*$/;
const fileOf = (app: App, key: string) => localPath("secrets", "apps", app.name, key);

/** The variables of a settings file, one a line by their names; the values of secrets are hidden unless they are to be shown. */
export const envLines = (text: string, names: string[], show: boolean): string[] =>
  Object.entries(parseEnv(text))
    .map(
      ([name, value]) => `${name}=${show || !(secret.test(name) || names.includes(name)) ? value : "(hidden: --show)"}`,
    )
    .toSorted();

/** The variables of an app whose values are secrets, or have one in them by ${NAME} in env. */
export const secretNames = ({ env: own = {}, secrets = [] }: Entry): string[] => {
  const isSecret = (used: string) => secret.test(used) || secrets.includes(used);
  const made = Object.entries(own).filter(([, value]) =>
    [...String(value).matchAll(/\$\{([^}]*)\}/g)].some(([, used = ""]) => isSecret(used)),
  );
  return [...secrets, ...made.map(([name]) => name)];
};

/** Throws a UserError for a value that no settings file can hold, or that Ansible would not read as it is. */
export function refuseValue(value: string): void {
  const wrong = value.trim() === "" ? "is empty" : /\p{Cc}/u.test(value) ? "has more than one line" : "";
  if (wrong) throw new UserError(`the value ${wrong}`, "give one line of text; a file's content fits as base64");
  // Ansible's lookup of passwords takes spaces off the end, and these words and all behind them.
  if (value !== value.trimEnd() || / (salt|ident)=/.test(value))
    throw new UserError("the value ends with a space, or has salt= or ident= behind one", "encode the value as base64");
  if (["'", "`", '"'].every((quote) => value.includes(quote)))
    throw new UserError("the value has all three of ' ` \"", "leave one of them out, or encode the value as base64");
}

/** Prints the variables that an app gets, or changes one of its secrets. */
export async function env(args: string[]): Promise<void> {
  const options = { show: { type: "boolean", default: false } } as const;
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
  const [name, action, key, more] = positionals;
  if (name === undefined || more !== undefined || (action === undefined) !== (key === undefined))
    throw new UserError("an app is needed, or an app, set or unset, and a variable", "npm run env -- --help");
  const app = findApp(name);
  if (action === undefined || key === undefined) {
    console.log(envLines(settingsOf(app), secretNames(app.entry), values.show).join("\n"));
  } else if (action === "set") await set(app, key);
  else if (action === "unset") unset(app, key);
  else throw new UserError(`${action} is unknown: set or unset`, "npm run env -- --help");
}

/** The text of the app's settings on its first backend; throws a UserError where it has none yet. */
function settingsOf(app: App): string {
  const host = hostOf(app);
  try {
    return String(captureBytes(remote(host, "sudo", "cat", app.settings)));
  } catch (error) {
    if (!(error instanceof UserError && error.message.includes("No such file"))) throw error;
    throw new UserError(`${app.name} is not on ${host.name} yet`, "npm run up");
  }
}

async function set(app: App, key: string): Promise<void> {
  if (!variable.test(key))
    throw new UserError(
      `${key} is no variable's name`,
      "give the name alone; the value comes from a prompt or the standard input, where no process list shows it",
    );
  if (app.entry.env && key in app.entry.env)
    throw new UserError(`${key} is in env of ${app.name}`, `change it in ${appsFile}, or take it out there`);
  const value = await readSecret(`${key} of ${app.name} (not shown): `);
  refuseValue(value);
  const file = fileOf(app, key);
  mkdirSync(localPath("secrets", "apps", app.name), { recursive: true, mode: 0o700 });
  writeFileSync(file, `${value}\n`, { mode: 0o600 });
  writeAppsText(withSecret(appsText(), app.name, key, true));
  console.log(`${key} is in ${relative(root, file)}, and its name in ${appsFile}`);
  console.log("Next: npm run up, which brings it into service");
}

function unset(app: App, key: string): void {
  if (!app.entry.secrets?.includes(key) && !(variable.test(key) && existsSync(fileOf(app, key))))
    throw new UserError(
      `${app.name} has no secret ${key}`,
      `npm run env -- ${app.name} lists its variables; the ones of env are in ${appsFile}`,
    );
  writeAppsText(withSecret(appsText(), app.name, key, false));
  rmSync(fileOf(app, key), { force: true });
  console.log(`${key} is out of ${appsFile}, and its value is removed`);
  console.log("Next: npm run up, which takes it out of service");
}
