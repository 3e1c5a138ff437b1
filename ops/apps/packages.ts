import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { UserError } from "../lib/cli.ts";
import { localPath } from "../lib/paths.ts";
import type { Workshop } from "./confine.ts";
import { type Locked, type Project, packageName } from "./project.ts";
import { copyTree, foreignText } from "./tree.ts";

/** Settings of every call of npm: the app's own .npmrc may want others, and a command line counts more. */
const flags = [
  "--ignore-scripts",
  "--include=dev",
  "--include=optional",
  "--no-global",
  "--no-dry-run",
  "--loglevel=error",
];

/**
 * Installs a project's packages in the workshop, with devDependencies and optional ones, and runs the install scripts of the
 * packages that `scripts` names, and no others. The result is kept in .halo/installed/NAME for the next build with the same lock.
 *
 * @param cache the caller's npm cache: the archives that the lock names are taken from there by their hashes
 * @throws {UserError} for a name in `scripts` that the lock does not have, and where npm fails
 */
export async function installPackages(
  name: string,
  project: Project,
  scripts: string[],
  shop: Workshop,
  cache: string,
): Promise<void> {
  const { lock, install } = project;
  if (!lock || install === undefined) return;
  const unknown = scripts.filter(
    (each) => !Object.entries(lock.packages).some(([place, locked]) => packageName(place, locked) === each),
  );
  if (unknown.length > 0)
    throw new UserError(
      `${name}: scripts: the app has no package ${unknown.join(", ")}`,
      "take it out of scripts in apps.yml, or correct its name",
    );
  const folder = join(shop.app, install);
  const kept = localPath("installed", name, keyOf(project, scripts, shop));
  if (existsSync(kept)) {
    for (const path of nodeModules(kept)) {
      rmSync(join(shop.app, path), { recursive: true, force: true });
      copyTree(join(kept, path), join(shop.app, path), { within: kept });
    }
    shop.handOver();
    return;
  }
  const lockFile = join(folder, "package-lock.json");
  const original = join(shop.tools, "package-lock.json");
  copyFileSync(lockFile, original);
  chmodSync(original, 0o644); // the build's user reads it
  writeFileSync(lockFile, JSON.stringify(seed(JSON.parse(readFileSync(lockFile, "utf8")), shop, cache), null, 2));
  shop.handOver();
  await shop.run("npm ci", ["npm", "ci", "--prefer-offline", ...flags], folder);
  // By the build's user: this path may be a link to anywhere by now.
  await shop.run("cp package-lock.json", ["sh", "-c", 'rm -f "$2" && cp "$1" "$2"', "sh", original, lockFile], folder);
  if (scripts.length > 0)
    await shop.run(
      "npm rebuild",
      ["npm", "rebuild", "--ignore-scripts=false", "--foreground-scripts", ...scripts],
      folder,
    );
  keep(
    shop,
    kept,
    nodeModules(folder).map((path) => join(install, path)),
  );
}

/** Takes packages out that only the build needs. */
export const prunePackages = (project: Project, shop: Workshop): Promise<void> =>
  shop.run(
    "npm prune",
    ["npm", "prune", "--no-save", "--offline", ...flags.filter((flag) => flag !== "--include=dev"), "--omit=dev"],
    join(shop.app, project.install ?? "."),
  );

/** Names all that installed packages depend on. */
function keyOf(project: Project, scripts: string[], shop: Workshop): string {
  const { folder, install = ".", lock } = project;
  const workspaces = Object.keys(lock?.packages ?? {}).filter((place) => !place.includes("node_modules/"));
  const files = [
    "package-lock.json",
    ".npmrc",
    "package.json",
    ...workspaces.map((place) => join(place, "package.json")),
  ];
  const hash = createHash("sha256").update(
    [shop.nodeVersion, process.platform, process.arch, shop.npmVersion, ...scripts].join("\n"),
  );
  for (const file of new Set(files)) hash.update(`\n${file}\n`).update(foreignText(folder, join(install, file)) ?? "");
  return hash.digest("hex").slice(0, 20);
}

/** The folders of packages below a folder that lie in no other one, as paths. */
function nodeModules(top: string, path = ""): string[] {
  return readdirSync(join(top, path), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => (name === "node_modules" ? [join(path, name)] : nodeModules(top, join(path, name))));
}

/** Keeps installed packages, the last ones of an app alone. By one rename: a build that is killed leaves no half of it. */
function keep({ app, owner }: Workshop, kept: string, modules: string[]): void {
  const parent = dirname(kept);
  rmSync(parent, { recursive: true, force: true });
  const making = `${parent}/.making-${process.pid}`;
  for (const path of modules) copyTree(join(app, path), join(making, path), { within: app, owner });
  if (modules.length > 0) renameSync(making, kept);
}

/**
 * Copies the archives that a lock names from the caller's npm cache into the build's, by their hashes, so that a build needs no
 * network for them. Gives the lock with an address for each copied one: npm takes an archive from its cache only if it knows
 * one, and lock files may leave them out. The build cannot read the cache itself, which has other projects' packages as well.
 */
function seed(lock: { packages?: Record<string, Locked> }, shop: Workshop, cache: string): object {
  const packages = Object.entries(lock.packages ?? {}).map(([place, locked]): [string, Locked] => {
    const [, algorithm, digest] = locked.integrity?.match(/^(sha\d+)-([A-Za-z0-9+/]+=*)$/) ?? [];
    if (!algorithm || !digest) return [place, locked];
    const hex = Buffer.from(digest, "base64").toString("hex");
    const path = join(`content-v2/${algorithm}`, hex.slice(0, 2), hex.slice(2, 4), hex.slice(4));
    const from = join(cache, path);
    if (!lstatSync(from, { throwIfNoEntry: false })?.isFile()) return [place, locked];
    const to = join(shop.home, ".npm/_cacache", path);
    mkdirSync(dirname(to), { recursive: true });
    if (!existsSync(to)) copyFileSync(from, to);
    return [
      place,
      {
        ...locked,
        resolved:
          locked.resolved ??
          new URL(`${packageName(place, locked)}/${locked.version}.tgz`, `${shop.registry.replace(/\/*$/, "")}/`).href,
      },
    ];
  });
  return lock.packages ? { ...lock, packages: Object.fromEntries(packages) } : lock;
}
