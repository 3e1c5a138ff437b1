import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { parse } from "yaml";
import { UserError } from "../lib/cli.ts";
import { root } from "../lib/paths.ts";

/** The file of the apps, from the project's root. */
export const appsFile = "ansible/group_vars/all/apps.yml";

/** An app's keys as they stand in the file; ansible/filter_plugins/apps.py checks them and has every default. */
export type Entry = {
  source: string;
  ref?: string;
  path?: string;
  build?: string | false;
  build_env?: Record<string, string | number | boolean>;
  scripts?: string[];
  start?: string;
  mode?: "cluster" | "fork";
  port?: number;
  static?: string | { folder: string };
  domains?: string[];
  [key: string]: unknown;
};

/** An app with the defaults that commands need: its names on the balancers, and the first of its ports. */
export type App = { name: string; source: string; domains: string[]; port: number; entry: Entry };

/** The port that follows from an app's name, as ansible/filter_plugins/apps.py computes it. */
export const defaultPort = (name: string): number => 20000 + 10 * (crc32(name) % 1000);

/** Reads the apps of a text like apps.yml, in their order. Throws a UserError that names the app without a source. */
export function parseApps(text: string): App[] {
  const wrong = (problem: string) => new UserError(`${appsFile}: ${problem}`, `correct it there, then run this again`);
  let given: Record<string, Entry | null> | null | undefined;
  try {
    given = parse(text)?.apps;
  } catch (error) {
    throw wrong(`cannot be read (${error instanceof Error ? error.message : error})`);
  }
  if (given !== null && given !== undefined && (typeof given !== "object" || Array.isArray(given)))
    throw wrong("apps has to be a map from names to keys");
  return Object.entries(given ?? {}).map(([name, keys]) => {
    // A key without a value is as good as none.
    const entry = Object.fromEntries(Object.entries(keys ?? {}).filter(([, value]) => value !== null)) as Entry;
    if (typeof entry.source !== "string") throw wrong(`${name}: source: is missing; give a folder or a git address`);
    return { name, source: entry.source, domains: entry.domains ?? [], port: entry.port ?? defaultPort(name), entry };
  });
}

/** The text of apps.yml, "" without the file. */
export function appsText(): string {
  const file = join(root, appsFile);
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

/** The apps of this cluster. */
export const apps = (): App[] => parseApps(appsText());

/** The app with this name; throws a UserError that lists the names when there is none. */
export function appOf(name: string, all: App[] = apps()): App {
  const found = all.find((app) => app.name === name);
  if (found) return found;
  const names = all.map((app) => app.name).join(", ");
  throw new UserError(
    `${appsFile} has no app ${name}; it has ${names || "none"}`,
    "use one of these names, or add it: npm run add -- --help",
  );
}
