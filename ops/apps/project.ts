/** Reads the files of a foreign project. Nothing of it is run or evaluated. */
import { existsSync } from "node:fs";
import { dirname, isAbsolute, join, normalize } from "node:path";
import { UserError } from "../lib/cli.ts";
import { foreignText } from "./tree.ts";

/** The part of package.json that is read; values of other kinds are left out. */
export type Manifest = {
  name?: string;
  version?: string;
  main?: string;
  type?: string;
  scripts: Record<string, string>;
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  engines: Record<string, string>;
  workspaces: boolean;
};

/** A package of package-lock.json, by its place ("node_modules/pg"). */
export type Locked = {
  name?: string;
  version?: string;
  resolved?: string;
  integrity?: string;
  dev?: boolean;
  optional?: boolean;
  link?: boolean;
  hasInstallScript?: boolean;
};

export type Project = {
  /** The source's folder. */
  folder: string;
  /** The app's folder in it: the one of its package.json, "." for the top. */
  path: string;
  /** The folder of package-lock.json, in which npm installs: `path` or one above it; undefined without packages. */
  install?: string;
  manifest?: Manifest;
  lock?: { version: number; packages: Record<string, Locked> };
  /** Processes of Procfile: web, worker, release ... */
  procfile: Record<string, string>;
  /** The version in .nvmrc or .node-version, and the file's name. */
  node?: { asked: string; where: string };
};

/** Lock files of other programs, and how to make npm's of each. */
const others: Record<string, { program: string; fix: string }> = {
  "yarn.lock": {
    program: "Yarn",
    fix: "in the source: npm install --package-lock-only (npm takes the versions of a yarn.lock of version 1), commit package-lock.json",
  },
  "pnpm-lock.yaml": {
    program: "pnpm",
    fix: "in the source: npm install --package-lock-only, try the app with it, commit package-lock.json",
  },
  "bun.lock": {
    program: "Bun",
    fix: "in the source: npm install --package-lock-only, try the app with it, commit package-lock.json",
  },
  "bun.lockb": {
    program: "Bun",
    fix: "in the source: npm install --package-lock-only, try the app with it, commit package-lock.json",
  },
};

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The texts of an object's values; anything else in it is nobody's business here. */
const texts = (value: unknown): Record<string, string> =>
  Object.fromEntries(
    Object.entries(isObject(value) ? value : {}).filter(
      (each): each is [string, string] => typeof each[1] === "string",
    ),
  );

const text = (value: unknown) => (typeof value === "string" ? value : undefined);

/** "a/b" gives "a/b", "a" and ".". */
const upwards = (path: string): string[] => (path === "." ? ["."] : [path, ...upwards(dirname(path))]);

/** The JSON of a foreign file, or undefined without it; throws a UserError with its name where it is none. */
function json(folder: string, path: string): Record<string, unknown> | undefined {
  const content = foreignText(folder, path);
  if (content === undefined) return undefined;
  try {
    const value = JSON.parse(content.replace(/^\uFEFF/, ""));
    if (isObject(value)) return value;
  } catch {
    // It is refused below, without its text: that is somebody else's.
  }
  throw new UserError(`${path} of the source is no JSON object`, "correct it there, then run this again");
}

/**
 * Reads a project. The folder `path` may be one that only the build makes: then the app's package.json is the nearest above.
 *
 * @throws {UserError} for a path out of the source, for a file that cannot be read, and where packages are needed and no
 *   package-lock.json pins them
 */
export function readProject(folder: string, path = "."): Project {
  if (isAbsolute(path) || path.split("/").includes(".."))
    throw new UserError(
      `the path ${path} is no folder inside the source`,
      "give it without a / in front and without ..",
    );
  const wanted = normalize(path).replace(/\/$/, "");
  const has = (name: string) => (below: string) => existsSync(join(folder, below, name));
  const own = upwards(wanted).find(has("package.json"));
  const at = own ?? upwards(wanted).find((below) => existsSync(join(folder, below))) ?? ".";
  const given = own === undefined ? undefined : json(folder, join(own, "package.json"));
  const manifest: Manifest | undefined = given && {
    name: text(given.name),
    version: text(given.version),
    main: text(given.main),
    type: text(given.type),
    scripts: texts(given.scripts),
    dependencies: { ...texts(given.optionalDependencies), ...texts(given.dependencies) },
    devDependencies: texts(given.devDependencies),
    engines: texts(given.engines),
    workspaces: given.workspaces !== undefined,
  };
  const install = upwards(at).find(has("package-lock.json"));
  const found = install === undefined ? undefined : json(folder, join(install, "package-lock.json"));
  if (!found && manifest) refuseUnlocked(folder, at, manifest);
  const [where] = [".nvmrc", ".node-version"].flatMap((name) =>
    upwards(at)
      .filter(has(name))
      .map((below) => join(below, name)),
  );
  const asked = where && foreignText(folder, where)?.trim().split("\n")[0];
  return {
    folder,
    path: at,
    ...(install !== undefined && { install }),
    ...(manifest && { manifest }),
    ...(found && { lock: { version: Number(found.lockfileVersion) || 1, packages: lockedOf(found) } }),
    procfile: procfileOf(foreignText(folder, join(at, "Procfile")) ?? foreignText(folder, "Procfile") ?? ""),
    ...(where && asked && { node: { asked, where } }),
  };
}

/** The packages of a lock of version 2 or 3; version 1 has them in a tree, of which only names and versions are read. */
function lockedOf(lock: Record<string, unknown>): Record<string, Locked> {
  if (isObject(lock.packages)) return lock.packages as Record<string, Locked>;
  const all: Record<string, Locked> = {};
  const walk = (tree: unknown, above: string) => {
    for (const [name, entry] of Object.entries(isObject(tree) ? tree : {})) {
      if (!isObject(entry)) continue;
      const { dependencies, ...own } = entry;
      all[`${above}node_modules/${name}`] = own as Locked;
      walk(dependencies, `${above}node_modules/${name}/`);
    }
  };
  walk(lock.dependencies, "");
  return all;
}

/** Throws a UserError where the app has packages and no file that says which versions npm installs. */
function refuseUnlocked(folder: string, path: string, manifest: Manifest): void {
  const needs =
    Object.keys({ ...manifest.dependencies, ...manifest.devDependencies }).length > 0 || manifest.workspaces;
  if (!needs) return;
  const places = upwards(path);
  const [name, other] =
    Object.entries(others).find(([file]) => places.some((below) => existsSync(join(folder, below, file)))) ?? [];
  if (other)
    throw new UserError(
      `the source has ${name} of ${other.program} and no package-lock.json, and Halo installs packages by npm only`,
      other.fix,
    );
  throw new UserError(
    "the source has packages and no package-lock.json, so two builds of it could differ",
    "in the source: npm install, commit package-lock.json (and take it out of .gitignore)",
  );
}

/** The processes of a Procfile's text: "web: node server.js". */
export const procfileOf = (content: string): Record<string, string> =>
  Object.fromEntries(
    [...content.matchAll(/^([A-Za-z0-9_-]+):[ \t]*(\S.*?)\s*$/gm)].map(([, name = "", command = ""]) => [
      name,
      command,
    ]),
  );

/** A package's name by its place in a lock. */
export const packageName = (place: string, locked: Locked): string =>
  locked.name ?? place.slice(place.lastIndexOf("node_modules/") + "node_modules/".length);
