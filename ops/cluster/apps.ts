import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { firstLine, UserError } from "../lib/cli.ts";
import { root } from "../lib/paths.ts";
import { replaceText } from "../lib/replace.ts";
import { readYaml } from "../lib/yaml.ts";
import { inGroup } from "./inventory.ts";

/** The file of the apps, from the project's root. */
export const appsFile = "ansible/group_vars/all/apps.yml";

/** An app's keys as they stand in the file; ansible/filter_plugins/apps.py checks them and has every default. */
export type Entry = {
  source: string;
  ref?: string;
  path?: string;
  node?: string;
  build?: string | false;
  build_env?: Record<string, string | number | boolean>;
  scripts?: string[];
  start?: string;
  mode?: "cluster" | "fork";
  workers?: number;
  port?: number;
  health?: string;
  migrate?: string | { sql: string };
  static?: string | { folder: string };
  domains?: string[];
  processes?: Record<string, string>;
  cron?: Record<string, { at: string; run: string; timeout?: string }>;
  writable?: string[];
  env?: Record<string, string | number | boolean>;
  secrets?: string[];
  hosts?: string | string[];
  tls?: "local" | "acme" | "off" | false | { certificate: string; key: string };
  redis?: boolean | "shared" | { memory?: number; evict?: boolean };
  postgres?: boolean | "shared" | { pool?: number; shared?: boolean };
  sticky?: boolean;
  [key: string]: unknown;
};

/**
 * An app with the defaults and the names that commands need. ansible/filter_plugins/apps.py has all of them; ops/test/apps.test.ts compares
 * the two.
 */
export type App = {
  name: string;
  source: string;
  domains: string[];
  /** Whether it has processes; a static app has none. */
  runs: boolean;
  port: number;
  /** The path that answers 200 to 399 when it is ready. */
  health: string;
  metricsPorts: number[];
  /** Of the Redis of its own; null without one. */
  redisPort: number | null;
  /** Its database, and the role there; null without one. */
  database: string | null;
  /** The backends that run it; null for all. */
  hosts: string[] | null;
  /** The folder of its source with the database's migrations; "" for none. */
  migrations: string;
  /** The stores that it shares with no other app. */
  ownStores: ("redis" | "postgres")[];
  unit: string;
  candidateUnit: string;
  /** The pattern of its cron jobs' units. */
  cronUnits: string;
  user: string;
  /** On the hosts: its releases, `current`, `served` and `migrated`. */
  root: string;
  settings: string;
  state: string;
  pages: string;
  /** The arguments by which pgrep and pkill find the workers in service. */
  workers: string;
  entry: Entry;
};

/** The port that follows from an app's name, as ansible/filter_plugins/apps.py computes it. */
export const defaultPort = (name: string): number => 20_000 + 10 * (crc32(name) % 1000);

const isShared = (store: Entry["redis"] | Entry["postgres"]): boolean =>
  store === "shared" || (typeof store === "object" && "shared" in store && store.shared === true);

const wrong = (problem: string) => new UserError(`${appsFile}: ${problem}`, "correct it there, then run this again");

function complete(name: string, entry: Entry): App {
  const port = entry.port ?? defaultPort(name);
  const home = `/opt/halo/apps/${name}`;
  return {
    name,
    source: entry.source,
    domains: entry.domains ?? [],
    runs: !entry.static,
    port,
    health: entry.health === "version" ? "/readyz" : (entry.health ?? "/"),
    metricsPorts: Array.from({ length: entry.workers ?? 1 }, (_, i) => port + 2 + i),
    redisPort: entry.redis && !isShared(entry.redis) ? port + 9 : null,
    database: entry.postgres ? (isShared(entry.postgres) ? "halo" : `halo_${name.replaceAll("-", "_")}`) : null,
    hosts: (entry.hosts ?? "all") === "all" ? null : [entry.hosts ?? []].flat(),
    migrations: typeof entry.migrate === "object" ? entry.migrate.sql : "",
    ownStores: (["redis", "postgres"] as const).filter((store) => entry[store] && !isShared(entry[store])),
    unit: `halo@${name}`,
    candidateUnit: `halo-candidate@${name}`,
    cronUnits: `halo-cron@${name}.*`,
    user: `halo-${name}`,
    root: home,
    settings: `/etc/halo/${name}.env`,
    state: `/var/lib/halo/${name}`,
    pages: `/var/www/halo/${name}`,
    workers: `-u halo-${name} -f ${home}/current/`,
    entry,
  };
}

/** Reads the apps of a text like apps.yml, in their order. Throws a UserError that names the app without a source; Ansible checks the rest. */
export function parseApps(text: string): App[] {
  let given: Record<string, Entry | null> | null | undefined;
  try {
    given = readYaml(text)?.apps;
  } catch (error) {
    throw wrong(`cannot be read: ${firstLine(error)}`);
  }
  if (given !== null && given !== undefined && (typeof given !== "object" || Array.isArray(given)))
    throw wrong("apps has to be a map from names to keys");
  return Object.entries(given ?? {}).map(([name, keys]) => {
    // A key without a value is as good as none.
    const entry = Object.fromEntries(Object.entries(keys ?? {}).filter(([, value]) => value !== null)) as Entry;
    if (typeof entry.source !== "string") throw wrong(`${name}: source: is missing; give a folder or a git address`);
    return complete(name, entry);
  });
}

/** The text of apps.yml, "" without the file. */
export function appsText(): string {
  const file = join(root, appsFile);
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

/** Throws a UserError for a text that cannot be read, and leaves the file as it is. */
export function writeAppsText(text: string): void {
  try {
    parseApps(text); // a line that goes may have an anchor that another one uses
  } catch (error) {
    const problem = (error as Error).message;
    throw new UserError(`the changed file could not be read, so nothing was changed: ${problem}`, "change it by hand");
  }
  replaceText(join(root, appsFile), text);
}

/** The apps of this cluster. */
export const apps = (): App[] => parseApps(appsText());

/** The names of the hosts that have an app: its backends, or for a static one the balancers. */
export const hostsOf = ({ runs, hosts }: App): string[] =>
  hosts && runs ? hosts : inGroup(runs ? "backends" : "balancers").map(({ name }) => name);

/** Finds an app by its name, or the first one without a name; throws a UserError that lists the names. */
export function findApp(name?: string, all: App[] = apps()): App {
  const app = name === undefined ? all[0] : all.find((each) => each.name === name);
  if (app) return app;
  const names = all.map((each) => each.name).join(", ");
  throw new UserError(
    name === undefined ? `${appsFile} has no app` : `there is no app ${name}`,
    `${names ? `name one of ${names}` : "add one"}: npm run add -- --help, or edit ${appsFile}`,
  );
}
