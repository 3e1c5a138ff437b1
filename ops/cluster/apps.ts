import { readFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { parse } from "yaml";
import { UserError } from "../lib/cli.ts";
import { root } from "../lib/paths.ts";

/**
 * An app of ansible/group_vars/all/apps.yml, with what commands need of it. ansible/filter_plugins/apps.py has all keys, and the names that
 * follow from the app's; ops/test/apps.test.ts compares the two.
 */
export type App = {
  name: string;
  source: string;
  domains: string[];
  port: number;
  metricsPorts: number[];
  /** The folder of its source with the database's migrations; "" for none. */
  migrations: string;
  unit: string;
  candidate: string;
  user: string;
  /** On the hosts: its releases, `current`, `served` and `migrated`. */
  root: string;
  settings: string;
  state: string;
  www: string;
  /** The arguments by which pgrep and pkill find the workers in service. */
  workers: string;
};

const file = "ansible/group_vars/all/apps.yml";

type Given = {
  source?: unknown;
  domains?: unknown;
  port?: unknown;
  workers?: unknown;
  migrate?: { sql?: unknown } | null;
} | null;

function appOf(name: string, given: Given): App {
  const port = typeof given?.port === "number" ? given.port : 20_000 + 10 * (crc32(name) % 1000);
  const workers = typeof given?.workers === "number" ? given.workers : 1;
  const home = `/opt/halo/apps/${name}`;
  return {
    name,
    source: String(given?.source ?? ""),
    domains: Array.isArray(given?.domains) ? given.domains.map(String) : [],
    port,
    metricsPorts: Array.from({ length: workers }, (_, i) => port + 2 + i),
    migrations: String(given?.migrate?.sql ?? ""),
    unit: `halo@${name}`,
    candidate: `halo-candidate@${name}`,
    user: `halo-${name}`,
    root: home,
    settings: `/etc/halo/${name}.env`,
    state: `/var/lib/halo/${name}`,
    www: `/var/www/halo/${name}`,
    workers: `-u halo-${name} -f ${home}/current/`,
  };
}

/** Reads the apps of a text like apps.yml, in their order; throws a UserError when it has no map of them. Ansible checks the rest. */
export function parseApps(text: string): App[] {
  let given: unknown;
  try {
    given = parse(text)?.apps ?? {};
  } catch (error) {
    throw wrong(`cannot be read (${error instanceof Error ? error.message : error})`);
  }
  if (typeof given !== "object" || Array.isArray(given))
    throw wrong("apps has to be a map from a name to the app's keys");
  return Object.entries(given as Record<string, Given>).map(([name, app]) => appOf(name, app));
}

const wrong = (problem: string) => new UserError(`${file}: ${problem}`, "correct it there, then run this again");

export const apps = (): App[] => parseApps(readFileSync(join(root, file), "utf8"));

/** Finds an app by its name, or the first one without a name; throws a UserError that lists the names. */
export function findApp(name?: string, all: App[] = apps()): App {
  const app = name === undefined ? all[0] : all.find((each) => each.name === name);
  if (app) return app;
  if (all.length === 0) throw wrong("it has no app");
  throw new UserError(`there is no app ${name}`, `name one of ${all.map((each) => each.name).join(", ")}`);
}
