import {
  closeSync,
  copyFileSync,
  existsSync,
  globSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, normalize, relative } from "node:path";
import { nodeProgram } from "../build/runtime.ts";
import type { App, Entry } from "../cluster/apps.ts";
import { UserError } from "../lib/cli.ts";
import { elapsed } from "../lib/exec.ts";
import { pack } from "../lib/pack.ts";
import { localPath } from "../lib/paths.ts";
import { kept, nextRelease } from "../lib/releases.ts";
import { type Bounds, inWorkshop, usualBounds, type Workshop } from "./confine.ts";
import { installPackages, prunePackages } from "./packages.ts";
import { type Locked, type Project, packageName, readProject } from "./project.ts";
import { fetchSource } from "./source.ts";
import { commandOf, startOf } from "./start.ts";
import { printable } from "./text.ts";
import { copyTree, foreignText, isWithin, pathsBelow, realPath, refuseLinks, type Size, sizeWords } from "./tree.ts";

/** Bounds of a release: a host keeps five of them, and unpacks 40,000 files in a minute. */
const MOST: Size = { bytes: 512 << 20, files: 50_000 };

/** Files of a release that Halo writes at its top. */
const OWN = ["RELEASE", "RELEASE.env"];

export type Built = { id: string; file: string; sha256: string; notes: string[]; size: Size };

/**
 * Builds a release of an app as .halo/releases/NAME/ID.tar.gz: the source's files with the packages that the app needs when it
 * runs; of a static app the folder that the balancers serve, as web/. At the top are RELEASE, the id, and RELEASE.env, how PM2
 * starts this release: HALO_START (a script with its arguments; words before it that begin with - are Node's), HALO_MODE,
 * HALO_PATH, HALO_WRITABLE (folders that outlive a release) and HALO_PROCESS_NAME for each process besides. The start belongs to the release, so that a rollback brings the old one back.
 *
 * @param after the newest release that the hosts have, "" for none
 * @param options.say gets a line for each step
 * @param options.arch of the hosts
 * @throws {UserError} with the app's name for a source, a build or a result that is no release
 */
export async function buildApp(
  { name, entry }: Pick<App, "name" | "entry">,
  after: string,
  {
    bounds = usualBounds,
    say = console.error,
    arch = process.arch as string,
  }: { bounds?: Bounds; say?: (line: string) => void; arch?: string } = {},
): Promise<Built> {
  const since = performance.now();
  if (entry.node && process.platform !== "linux")
    say(`${name}: building with Node ${process.versions.node}; Node ${entry.node} for this machine is not provided`);
  const node =
    entry.node && process.platform === "linux"
      ? { version: entry.node, program: await named(name, () => nodeProgram(entry.node as string)) }
      : undefined;
  const make = async (shop: Workshop, cache: string): Promise<Built> => {
    say(`${name}: fetching ${entry.source}`);
    const { revision, notes } = await named(name, () => fetchSource(entry, shop.app));
    for (const file of OWN)
      if (lstatSync(join(shop.app, file), { throwIfNoEntry: false }))
        throw new UserError(
          `${name}: the source has a file ${file}, where Halo writes its own`,
          "rename it in the source",
        );
    const releases = () => globSync("*.tar.gz", { cwd: localPath("releases", name) }).sort();
    const known = [...releases().map((file) => basename(file, ".tar.gz")), after].sort().at(-1) ?? "";
    const { time, ahead } = nextRelease(new Date(), known);
    const id = `${time}-${revision}`;
    const project = await makeApp(name, entry, shop, cache, say);
    let size: Size = { bytes: 0, files: 0 };
    const built = await pack(join("releases", name), id, async (stage) => {
      const fill = entry.static ? copyStatic : copyRelease;
      size = await named(name, () => fill(entry, project, stage, shop.owner));
      if (arch !== process.arch || process.platform !== "linux") await named(name, () => refuseNative(stage, arch));
      writeFileSync(join(stage, "RELEASE"), `${id}\n`);
    });
    for (const old of releases().slice(0, -kept)) rmSync(localPath("releases", name, old));
    say(`${name}: release ${id}, ${sizeWords(size)}, built in ${elapsed(since)}`);
    return { ...built, size, notes: [...notes, ...(ahead ? [ahead] : [])] };
  };
  return inWorkshop(name, bounds, make, node);
}

/** Runs a step whose UserErrors do not know the app's name. */
async function named<T>(name: string, step: () => T | Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw error instanceof UserError ? new UserError(`${name}: ${error.message}`, error.hint) : error;
  }
}

/** Installs, builds and prunes in the workshop; resolves with the project as it was before. */
async function makeApp(
  name: string,
  entry: Entry,
  shop: Workshop,
  cache: string,
  say: (line: string) => void,
): Promise<Project> {
  const project = await named(name, () => readProject(shop.app, entry.path));
  const { lock, manifest } = project;
  if (lock) say(`${name}: installing the packages of a lock with ${Object.keys(lock.packages).length - 1}`);
  await installPackages(name, project, entry.scripts ?? [], shop, cache);
  shop.handOver();
  const script = entry.build === undefined && manifest?.scripts.build !== undefined;
  if (script || entry.build) {
    say(`${name}: building (${entry.build || `the script build: ${printable(manifest?.scripts.build ?? "")}`})`);
    const env = Object.fromEntries(Object.entries(entry.build_env ?? {}).map(([key, value]) => [key, String(value)]));
    // The programs of the packages, nearest first, as npm finds them for a script.
    const bins = folders(project.path).map((path) => join(shop.app, path, "node_modules/.bin"));
    const command = script ? ["npm", "run", "build"] : ["sh", "-c", String(entry.build)];
    await shop.run("the build", command, join(shop.app, project.path), {
      ...env,
      PATH: [...bins, shop.path].join(":"),
    });
  }
  if (lock && !entry.static) await prunePackages(project, shop);
  return project;
}

/** "a/b" gives "a/b", "a" and ".". */
const folders = (path: string): string[] => (path === "." ? ["."] : [path, ...folders(dirname(path))]);

/** Copies all that the app has when it runs, and writes how it starts. */
function copyRelease(entry: Entry, project: Project, stage: string, owner: number | undefined): Size {
  const caches = /(^|\/)(node_modules\/\.cache|\.git)$/;
  const skip = (path: string) => caches.test(path) || OWN.includes(path);
  const size = copyTree(project.folder, stage, { skip, owner, most: MOST });
  const path = normalize(entry.path ?? ".").replace(/\/$/, "");
  const place = join(stage, path);
  if (!existsSync(place))
    throw new UserError(
      `the release has no folder ${path}`,
      "correct path in apps.yml, or the build that has to make it",
    );
  if (typeof entry.migrate === "object") copyMigrations(join(place, entry.migrate.sql), join(stage, "migrations"));
  const has = (file: string) => isFile(join(place, file));
  const start = startOf(project, has, entry.start);
  if (!start)
    throw new UserError("nothing says how it starts", "give start in apps.yml, such as start: node server.js");
  const script = (words: string[], from: string): string => {
    const found = words[0] === "node" ? nodeScript(words, project, place) : programOf(words, place, stage);
    if (found.some((word) => /[\s"'#\\`]/.test(word)))
      throw new UserError(
        `${from} has a word with a space or a quote in it`,
        "put the arguments into a script of the app",
      );
    return found.join(" ");
  };
  const processes = Object.entries(entry.processes ?? {}).map(([name, command]) => [
    `HALO_PROCESS_${name}`,
    script(commandOf(command, project, `processes: ${name}`), `processes: ${name}`),
  ]);
  const mode = entry.mode ?? (start.words[0] === "node" ? "cluster" : "fork");
  if (mode === "fork" && (entry.workers ?? 1) > 1)
    throw new UserError(
      `${start.from} starts no script of Node, so its ${entry.workers} workers cannot share the port`,
      "take workers out of apps.yml, or give start: node SCRIPT",
    );
  const lines = {
    HALO_START: script(start.words, `start (${start.from})`),
    HALO_MODE: mode,
    HALO_PATH: path,
    ...(entry.writable && { HALO_WRITABLE: entry.writable.map((folder) => join(path, folder)).join(" ") }),
    ...Object.fromEntries(processes),
  };
  writeFileSync(
    join(stage, "RELEASE.env"),
    Object.entries(lines)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(""),
  );
  return size;
}

/** Copies the SQL files to the release's top, where the host with the database has them. */
function copyMigrations(from: string, to: string): void {
  const files = existsSync(from) ? globSync("*.sql", { cwd: from }) : [];
  if (files.length === 0)
    throw new UserError(
      `migrate: the release has no *.sql in ${basename(from)}`,
      "correct the folder in apps.yml, which is below path",
    );
  if (from === to) return;
  if (existsSync(to))
    throw new UserError("migrate: the source has another folder migrations at its top", "rename one of the two");
  mkdirSync(to);
  for (const file of files) copyFileSync(realPath(join(from, file)), join(to, file));
}

const isFile = (path: string) => existsSync(path) && lstatSync(realPath(path)).isFile();

/** Options of node whose value may be the next word. */
const withValue: Record<string, string> = {
  "-r": "--require",
  "--require": "--require",
  "--import": "--import",
  "--env-file": "--env-file",
};

/** The words behind `node`: its options, each in one word, the script as a file of the release, the arguments. */
function nodeScript([, ...words]: string[], { manifest }: Project, place: string): string[] {
  const options: string[] = [];
  while (words[0]?.startsWith("-")) {
    const option = words.shift() ?? "";
    const long = withValue[option];
    options.push(long ? `${long}=${words.shift() ?? ""}` : option);
  }
  const [given = ".", ...args] = words;
  // As Node itself finds the file: without its end, or the folder's main.
  const main = given === "." ? [manifest?.main ?? "index.js"] : [];
  const bases = [given, ...main].map((each) => normalize(each));
  const file = bases
    .flatMap((base) => ["", ".js", ".json", "/index.js"].map((end) => `${base}${end}`))
    .find((each) => isFile(join(place, each)));
  if (file) return [...options, file, ...args];
  throw new UserError(
    `start: the release has no file ${given === "." ? main[0] : given}`,
    "correct start in apps.yml, or the build that has to make the file",
  );
}

/** A program of a package as Node's script: npm's link leads to it. */
function programOf([program = "", ...args]: string[], place: string, stage: string): string[] {
  const bin = folders(relative(stage, place) || ".")
    .map((path) => join(stage, path, "node_modules/.bin", program))
    .find((file) => existsSync(file));
  if (!bin || program.includes("/"))
    throw new UserError(
      `start: the release has no program ${program}`,
      `start has to be \`node FILE\`, a script of package.json, or a program of a package in dependencies (devDependencies are not in a release)`,
    );
  const file = realPath(bin);
  if (!isWithin(file, stage) || !/^#!.*\bnode\b/.test(firstLine(file)))
    throw new UserError(`start: ${program} is no script of Node's`, "give the script that it starts: start: node FILE");
  return [relative(realPath(place), file), ...args];
}

function firstLine(file: string): string {
  const start = Buffer.alloc(200);
  const descriptor = openSync(file, "r");
  const length = readSync(descriptor, start);
  closeSync(descriptor);
  return start.toString("utf8", 0, length).split("\n")[0] ?? "";
}

/** Copies the folder that the balancers serve as web/; files whose names begin with a dot stay out, .well-known apart. */
function copyStatic(entry: Entry, project: Project, stage: string, owner: number | undefined): Size {
  const folder = typeof entry.static === "object" ? entry.static.folder : (entry.static ?? ".");
  const from = join(project.folder, entry.path ?? ".", folder);
  if (!existsSync(from) || !lstatSync(realPath(from)).isDirectory())
    throw new UserError(
      `static: the app has no folder ${folder} after its build`,
      "name the folder that the build writes in apps.yml, or a build that writes it",
    );
  const web = join(stage, "web");
  const left = /(^|\/)(\.(?!well-known$)[^/]*|node_modules)$/;
  const size = copyTree(from, web, { within: project.folder, skip: (path) => left.test(path), owner, most: MOST });
  refuseLinks(web);
  if (size.files === 0)
    throw new UserError(`static: the folder ${folder} is empty`, "name the folder that the build writes in apps.yml");
  return size;
}

/** Throws a UserError that names the packages with machine code of this controller's kind, where the hosts are of another one. */
function refuseNative(stage: string, arch: string): void {
  const native = [...pathsBelow(stage)]
    .filter((path) => path.endsWith(".node"))
    .map((path) => path.match(/.*node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1] ?? path);
  const hidden = foreignText(stage, "node_modules/.package-lock.json");
  const listed: Record<string, Locked & { cpu?: string[] }> = hidden ? JSON.parse(hidden).packages : {};
  const built = Object.entries(listed)
    .filter(([, locked]) => locked.cpu)
    .map(([place, locked]) => packageName(place, locked));
  const names = [...new Set([...native, ...built])];
  if (names.length > 0)
    throw new UserError(
      `${names.join(", ")} ${names.length === 1 ? "has" : "have"} machine code for ${process.platform} ${process.arch}, and the hosts are linux ${arch}`,
      "deploy from a controller of the hosts' kind",
    );
}
