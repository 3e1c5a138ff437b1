/**
 * Runs the code of foreign projects on the controller: npm, install scripts and builds.
 *
 * Root's processes could read every password in .halo and change the machine. So when we are root, the code runs as the user
 * nobody, without any way to more rights, in namespaces of its own: it sees no process of others, an empty .halo, an empty
 * home of the caller, and a /tmp of its own. Its end is the end of every process that it has started.
 *
 * When we are not root, it runs as the caller: an ordinary user cannot become another one, and the same person would
 * install and build the app in a clone of it with the same rights. Its environment is clean all the same, and its
 * home is the build's folder, so nothing finds the caller's settings or tokens by the usual ways.
 */
import { execFileSync, type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { delimiter, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { UserError } from "../lib/cli.ts";
import { localPath, root } from "../lib/paths.ts";
import { quote } from "../lib/script.ts";
import { printable } from "./text.ts";
import { realPath } from "./tree.ts";

/** Bounds of a build: minutes for all its commands together, MiB of everything that it writes, MiB of one file. */
export type Bounds = { minutes: number; mebibytes: number; fileMebibytes: number };
export const usualBounds: Bounds = { minutes: 15, mebibytes: 4096, fileMebibytes: 1024 };

/** A folder for one build, and the way to run its commands. */
export type Workshop = {
  /** The app's files. Foreign code may have changed anything in it. */
  app: string;
  /** A folder that the build can read and cannot change, when we are root; the tools are in it. */
  tools: string;
  /** The home of the build. */
  home: string;
  /** The value of PATH. */
  path: string;
  /** The versions of Node and npm. */
  nodeVersion: string;
  npmVersion: string;
  /** The registry of the caller's npm. */
  registry: string;
  /** The user whose files the build writes; undefined where it is the caller. */
  owner: number | undefined;
  /**
   * Gives all of the app's files, and the home, to the build's user, once: later, one of them may be another name of a file
   * elsewhere.
   */
  handOver(): void;
  /**
   * Runs a command in a folder of the app to its end. Throws a UserError with its last lines when it fails, takes too long or
   * writes too much; `title` names it.
   */
  run(title: string, argv: string[], cwd: string, env?: Record<string, string>): Promise<void>;
};

/** A command with all of its environment. */
type Command = { argv: string[]; env: Record<string, string> };
type Attempt = Pick<SpawnSyncReturns<string>, "status" | "stdout" | "stderr" | "error">;

/**
 * The environment of root's part, unshare to setpriv. The build's own begins behind it: a package's program named mount, or a
 * library that a variable of the build preloads, must not be root's.
 */
const ofRoot = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C.UTF-8" };

const isRoot = () => process.getuid?.() === 0;
const confine = fileURLToPath(new URL("confine.sh", import.meta.url));
const LAST_LINES = 25;

/** The number of a user's or group's: -u and -g of id. */
const idOfNobody = (option: string) => Number(execFileSync("id", [option, "nobody"], { encoding: "utf8" }));

/** Folders that foreign code finds empty, none inside another one, and none above the build's own. */
function hidden(top: string): string[] {
  const real = [localPath(), homedir()].filter((folder) => existsSync(folder)).map((folder) => realPath(folder));
  const within = (path: string, folder: string) => `${path}/`.startsWith(`${folder}/`);
  const possible = [...new Set(real)].filter((folder) => folder !== "/" && !within(top, folder));
  return possible.filter((folder) => !possible.some((other) => other !== folder && within(folder, other)));
}

/** npm's own program, not the shell script or shim around it: it runs with the Node that the app will have. */
function npmProgram(): string {
  const cli = "npm-cli.js";
  const started = process.env.npm_execpath ?? "";
  if (started.endsWith(cli)) return realPath(started);
  for (const folder of (process.env.PATH ?? "").split(delimiter).filter(Boolean)) {
    const file = join(folder, "npm");
    if (existsSync(file) && realPath(file).endsWith(cli)) return realPath(file);
  }
  const { status, stdout } = spawnSync("npm", ["root", "--global"], { encoding: "utf8", cwd: root });
  const file = join(stdout?.trim() ?? "", "npm/bin", cli);
  if (status === 0 && existsSync(file)) return realPath(file);
  throw new UserError("npm is not found", "install npm, or put it into PATH");
}

/** Settings of the caller's npm that say where packages come from. None with a password in it: the build could read it. */
const sources = ["registry", "cafile", "https-proxy", "proxy", "noproxy", "strict-ssl", "offline"];

/** The caller's settings of npm, and the folder of its cache. */
function npmSettings(): { env: Record<string, string>; cafile?: string; cache: string } {
  // With the Node that the caller's npm usually has: its folder says where npm's global settings are, and `npm run` puts the
  // project's own Node in front.
  const path = (process.env.PATH ?? "").split(delimiter).filter((folder) => !folder.endsWith("node_modules/.bin"));
  const { status, stdout, stderr } = spawnSync("npm", ["config", "get", ...sources, "cache"], {
    encoding: "utf8",
    cwd: root,
    env: { ...process.env, PATH: path.join(delimiter) },
  });
  if (status !== 0)
    throw new UserError(
      `npm config get: ${stderr?.trim() || "npm does not start"}`,
      "make npm work, then run this again",
    );
  const values = Object.fromEntries(
    [...stdout.matchAll(/^([\w-]+)=(.*)$/gm)].map(([, name = "", value = ""]) => [name, value]),
  );
  const env: Record<string, string> = {};
  for (const name of sources) {
    const value = values[name];
    if (value && value !== "null" && value !== "undefined" && !value.includes("@"))
      env[`npm_config_${name.replaceAll("-", "_")}`] = value;
  }
  const { npm_config_cafile: cafile, ...others } = env;
  return { env: others, ...(cafile && { cafile }), cache: join(values.cache ?? "", "_cacache") };
}

/** Removes folders of builds that were killed. One that is under way beside this one is younger. */
function removeLeft(base: string): void {
  spawnSync("find", [
    base,
    "-maxdepth",
    "1",
    "-name",
    "halo-build-*",
    "-user",
    String(process.getuid?.()),
    "-mmin",
    "+120",
    "-exec",
    "rm",
    "-rf",
    "{}",
    "+",
  ]);
}

/**
 * Makes the folder of a build, hands it to `work`, and removes it.
 *
 * @param name the app's, for messages and the log, .halo/logs/build-NAME.log
 * @param work gets the workshop and the folder of the caller's npm cache
 * @param node the Node for the build; without it this one
 * @throws {UserError} where we are root and the machine lets root make no namespaces
 */
export async function inWorkshop<T>(
  name: string,
  bounds: Bounds,
  work: (shop: Workshop, cache: string) => Promise<T>,
  node: { version: string; program: string } = { version: process.versions.node, program: process.execPath },
): Promise<T> {
  // Not /tmp for root: the build has another one. /var/tmp is on the disk, and a build is large.
  const base = isRoot() ? "/var/tmp" : tmpdir();
  removeLeft(base);
  const top = realPath(mkdtempSync(join(base, "halo-build-")));
  try {
    // Others may pass through to the folders below, and list nothing.
    chmodSync(top, 0o711);
    const [app, home, tools] = ["app", "home", "tools"].map((each) => join(top, each)) as [string, string, string];
    for (const folder of [app, home]) mkdirSync(folder, { mode: 0o700 });
    mkdirSync(join(home, "tmp"));
    mkdirSync(join(tools, "bin"), { recursive: true });
    chmodSync(tools, 0o755); // whatever the caller's umask is, here and below
    const user = isRoot() ? { uid: idOfNobody("-u"), gid: idOfNobody("-g") } : undefined;
    const own = (folder: string) => user && execFileSync("chown", ["-R", "-h", `${user.uid}:${user.gid}`, folder]);
    own(home);

    const program = npmProgram();
    const { env: settings, cafile, cache } = npmSettings();
    // Node's own variable adds certificates to the ones that it knows, npm's setting replaces them.
    const certificates = { npm_config_cafile: cafile, NODE_EXTRA_CA_CERTS: process.env.NODE_EXTRA_CA_CERTS };
    for (const [variable, file] of Object.entries(certificates)) {
      if (!file || !existsSync(file)) continue;
      settings[variable] = join(tools, `${variable}.pem`);
      copyFileSync(file, settings[variable]);
    }
    const path = [join(tools, "bin"), "/usr/local/bin", "/usr/bin", "/bin"].join(delimiter);
    const env: Record<string, string> = {
      PATH: path,
      HOME: home,
      TMPDIR: join(home, "tmp"),
      LANG: "C.UTF-8",
      npm_config_update_notifier: "false",
      npm_config_fund: "false",
      npm_config_audit: "false",
      ...settings,
    };
    const wrapped = (argv: string[], more: Record<string, string> = {}): Command => {
      const all = { ...env, ...more };
      if (!user) return { argv, env: all };
      const limits = [user.uid, user.gid, bounds.fileMebibytes << 20].map(String);
      const namespaces = ["--mount", "--pid", "--ipc", "--fork", "--kill-child=KILL", "--mount-proc"];
      const variables = Object.entries(all).map(([key, value]) => `${key}=${value}`);
      const inside = ["env", "-i", ...variables, ...argv];
      return {
        argv: ["unshare", ...namespaces, "sh", confine, ...limits, ...hidden(top), "--", ...inside],
        env: ofRoot,
      };
    };
    const attempt = (argv: string[]) => {
      const {
        argv: [file = "", ...args],
        env: variables,
      } = wrapped(argv);
      return spawnSync(file, args, { cwd: home, env: variables, encoding: "utf8" });
    };
    if (user) refuseWithoutNamespaces(attempt(["true"]));
    const npmVersion = placeTools(tools, node.program, program, attempt);
    const log = localPath("logs", `build-${name}.log`);
    mkdirSync(dirname(log), { recursive: true });
    writeFileSync(log, "");
    const until = Date.now() + bounds.minutes * 60_000;
    let handed = false;
    const shop: Workshop = {
      app,
      tools,
      home,
      path,
      nodeVersion: node.version,
      npmVersion,
      registry: settings.npm_config_registry ?? "",
      owner: user?.uid,
      handOver: () => {
        if (handed) return;
        handed = true;
        own(app);
        own(home);
      },
      run: async (title, argv, cwd, more = {}) => {
        const problem = await bounded(wrapped(argv, more), { cwd, log, until, top, bounds });
        if (!problem) return;
        throw new UserError(
          `${name}: ${title} ${problem}\n${lastLines(log)}`,
          `correct the cause above in the app's source, then run this again (all lines: ${relative(root, log)})`,
        );
      },
    };
    return await work(shop, cache);
  } finally {
    rmSync(top, { recursive: true, force: true, maxRetries: 3 });
  }
}

function refuseWithoutNamespaces({ status, stderr, error }: Attempt): void {
  if (status !== 0)
    throw new UserError(
      `root cannot run foreign code apart from everything else on this machine: ${error?.message ?? stderr.trim()}`,
      "run this as an ordinary user, or on a machine where root may use unshare and setpriv (package util-linux)",
    );
}

/**
 * Puts node, npm and npx into tools/bin; gives npm's version. Where the build's user cannot reach the real ones, for example
 * in root's home, they are copied.
 */
function placeTools(tools: string, nodeFile: string, program: string, run: (argv: string[]) => Attempt): string {
  const bin = join(tools, "bin");
  let [node, npm] = [nodeFile, program];
  let tried = run([node, npm, "--version"]);
  if (tried.status !== 0) {
    node = join(tools, "node");
    copyFileSync(nodeFile, node, constants.COPYFILE_FICLONE);
    chmodSync(node, 0o755);
    const folder = dirname(dirname(program));
    cpSync(folder, join(tools, "npm"), { recursive: true, verbatimSymlinks: true });
    execFileSync("chmod", ["-R", "go+rX", tools]);
    npm = join(tools, "npm", relative(folder, program));
    tried = run([node, npm, "--version"]);
  }
  if (tried.status !== 0)
    throw new UserError(
      `npm does not start in the build's folder: ${tried.stderr.trim()}`,
      "install npm in /usr/lib or /usr/local/lib",
    );
  symlinkSync(node, join(bin, "node"));
  for (const name of ["npm", "npx"]) {
    const script = `#!/bin/sh\nexec ${quote(node)} ${quote(join(dirname(npm), `${name}-cli.js`))} "$@"\n`;
    writeFileSync(join(bin, name), script, { mode: 0o755 });
  }
  for (const file of [node, join(dirname(npm), "npx-cli.js")]) accessSync(file);
  execFileSync("chmod", ["-R", "go+rX", tools]);
  return tried.stdout.trim();
}

/** A terminal that is closed sends SIGHUP. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

type Bounded = { cwd: string; log: string; until: number; top: string; bounds: Bounds };

/** Runs a command within the bounds, its output into the log; resolves with the problem, or undefined when all went well. */
async function bounded({ argv, env }: Command, { cwd, log, until, top, bounds }: Bounded): Promise<string | undefined> {
  const [file = "", ...args] = argv;
  const out = openSync(log, "a");
  // A group of its own, so that what an ordinary user's build leaves behind can be ended as well.
  const child = spawn(file, args, { cwd, env, stdio: ["ignore", out, out], detached: true });
  let problem: string | undefined;
  const end = (reason: string) => {
    problem ??= reason;
    killGroup(child.pid);
  };
  const tooLarge = () => usedKibibytes(top) > bounds.mebibytes * 1024;
  const large = `wrote more than ${bounds.mebibytes} MiB`;
  const late = setTimeout(
    () => end(`took longer than the ${bounds.minutes} minutes that a build has`),
    Math.max(0, until - Date.now()),
  );
  const watch = setInterval(() => tooLarge() && end(large), 5000);
  const interrupted = () => end("was interrupted");
  for (const signal of SIGNALS) process.on(signal, interrupted);
  const status = await new Promise<string | undefined>((done) => {
    child.on("error", (error) => done(`cannot run: ${error.message}`));
    child.on("exit", (code, signal) => done(code === 0 ? undefined : `failed (${signal ?? `exit status ${code}`})`));
  });
  killGroup(child.pid);
  for (const signal of SIGNALS) process.off(signal, interrupted);
  clearTimeout(late);
  clearInterval(watch);
  closeSync(out);
  if (problem === undefined && status === undefined && tooLarge()) problem = large;
  return problem ?? status;
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid) process.kill(-pid, "SIGKILL");
  } catch {
    // Every process of it has ended.
  }
}

const usedKibibytes = (folder: string): number =>
  Number.parseInt(spawnSync("du", ["-skx", folder], { encoding: "utf8" }).stdout, 10) || 0;

/** The last lines of a log, without npm's help after a problem, and without characters that a terminal obeys. */
const lastLines = (log: string): string =>
  readFileSync(log, "utf8")
    .replace(/^npm error Usage:\n(npm error.*\n?)*/m, "")
    .trimEnd()
    .split("\n")
    .slice(-LAST_LINES)
    .map((line) => `  ${printable(line)}`)
    .join("\n");
