import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, lstatSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { basename, join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { UserError } from "../lib/cli.ts";
import { localPath, root } from "../lib/paths.ts";
import { copyFiles, revision, sourceFiles } from "../lib/source.ts";
import { pathsBelow, realPath, refuseLinks } from "./tree.ts";

/** The place of an app's code: a folder, from the project's root, or a git address, with a branch, tag or commit. */
export type Place = { source: string; ref?: string | undefined };

/** The state of the code that was fetched, as a release's name has it (seven digits of the commit), and remarks. */
export type Fetched = { revision: string; notes: string[] };

/** The reason why a foreign address starts no program of its own choice: git's `ext::` would. */
const PROTOCOLS = "file:git:http:https:ssh";

/** Minutes for all that a git server sends. */
const MINUTES = 10;

/** Variables by which a hook or a caller points git at another repository. */
const elsewhere =
  /^GIT_(DIR|WORK_TREE|COMMON_DIR|INDEX_FILE|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES|PREFIX|NAMESPACE|SHALLOW_FILE|CONFIG_PARAMETERS)$/;

/** A name with a scheme, or user@host:path as ssh has it. */
const address = /^([a-z][a-z0-9+.-]*:\/\/|[\w.-]+@[\w.-]+:|[\w.-]+::)/i;

const isBare = (folder: string) => existsSync(join(folder, "HEAD")) && existsSync(join(folder, "objects"));

/** A folder as a person writes it: from the project's root, or from their home. */
const pathOf = (source: string) => resolve(root, source.replace(/^~(?=\/|$)/, homedir()));

/** Whether a source is fetched by git; else it is a folder. */
export const isAddress = (source: string): boolean => address.test(source) || isBare(pathOf(source));

/**
 * Puts the files of a source into a folder, which is empty: git's files and nothing else, so for a folder the tracked ones
 * and the untracked ones that git does not ignore.
 *
 * @param mirrors the folder that keeps what git has fetched
 * @throws {UserError} for a source that cannot be reached, a ref that it does not have, a submodule, a file in Git LFS, and a
 *   link that leaves the source
 */
export async function fetchSource(place: Place, into: string, mirrors = localPath("sources")): Promise<Fetched> {
  const { source, ref } = place;
  if (address.test(source)) return fromGit(source, ref, into, mirrors);
  const folder = pathOf(source);
  if (!lstatSync(folder, { throwIfNoEntry: false }))
    throw new UserError(
      `the source ${source} does not exist`,
      `correct source: a folder from ${root}, or a git address`,
    );
  if (isBare(folder)) return fromGit(pathToFileURL(folder).href, ref, into, mirrors);
  const top = await topOf(folder);
  if (ref === undefined) return fromFolder(folder, top, into);
  if (top !== realPath(folder))
    throw new UserError(
      `ref: ${ref} needs a git repository, and ${source} is not the top folder of one`,
      "take ref out, or name the repository as source and the folder inside it as path",
    );
  return fromGit(pathToFileURL(folder).href, ref, into, mirrors);
}

/** The top folder of the repository around a folder, or undefined without one. */
async function topOf(folder: string): Promise<string | undefined> {
  // A person who names a folder trusts it, also where another user owns it.
  const { status, stdout } = await git(["-C", folder, "-c", "safe.directory=*", "rev-parse", "--show-toplevel"]);
  return status === 0 ? stdout.trimEnd() : undefined;
}

function fromFolder(folder: string, top: string | undefined, into: string): Fetched {
  const real = realPath(folder);
  const project = top ?? real;
  const files = sourceFiles(project, real);
  if (files.length === 0)
    throw new UserError(
      `${folder} has no file that git would keep`,
      "put the app's files there, or take the folder out of .gitignore; then run this again",
    );
  const submodules = files.filter((path) => lstatSync(join(real, path)).isDirectory());
  if (submodules.length > 0) throw withSubmodules(submodules);
  copyFiles(real, into, files);
  const { name, note } = revision(project, [relative(project, real) || "."]);
  return { revision: name, notes: note ? [note] : [] };
}

/** Fetches one commit into the mirror, without its history, and writes its files. */
async function fromGit(url: string, ref: string | undefined, into: string, mirrors: string): Promise<Fetched> {
  const [scheme = ""] = url.match(/^[^:]+(?=:)/) ?? [];
  if (url.includes("://") ? !PROTOCOLS.split(":").includes(scheme.toLowerCase()) : url.includes("::"))
    throw new UserError(`the source ${url} is no address that Halo fetches`, "use https, http, ssh, git or file://");
  const name = (url.match(/([\w.-]+?)(\.git)?\/*$/)?.[1] ?? "source").replace(/^[.-]+/, "");
  const mirror = join(mirrors, `${name}-${createHash("sha256").update(url).digest("hex").slice(0, 8)}.git`);
  mkdirSync(mirrors, { recursive: true });
  if (!isBare(mirror)) await must(["init", "--quiet", "--bare", "--template=", mirror], "git works on this machine");
  const commit = await fetchCommit(url, ref, mirror);
  await writeFiles(mirror, commit, into);
  return { revision: commit.slice(0, 7), notes: [] };
}

/** The hash of the wanted commit, which the mirror has afterwards. */
async function fetchCommit(url: string, ref: string | undefined, mirror: string): Promise<string> {
  const inMirror = async (name: string) => {
    const { status, stdout } = await git(["-C", mirror, "rev-parse", "--verify", "--quiet", `${name}^{commit}`]);
    return status === 0 ? stdout.trim() : undefined;
  };
  const fetch = async (...refs: string[]) => {
    const words = ["-C", mirror, "fetch", "--quiet", "--force", "--no-tags", "--no-write-fetch-head"];
    const shallow = await git([...words, "--depth=1", url, ...refs]);
    // A plain web server with the repository's files cannot cut the history off.
    const done = /dumb http|shallow/.test(shallow.stderr) ? await git([...words, url, ...refs]) : shallow;
    return done.status === 0 ? undefined : done.stderr;
  };
  // For each ref its own: another app's build may fetch from the same source at the same time.
  const wanted = `refs/halo/${createHash("sha256")
    .update(ref ?? "")
    .digest("hex")
    .slice(0, 16)}`;
  const whole = /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(ref ?? "");
  if (ref && whole) {
    const known = await inMirror(ref);
    if (known) return known;
    if ((await fetch(`+${ref}:${wanted}`)) === undefined) return (await inMirror(ref)) ?? ref;
  }
  const names = ref ? [`refs/heads/${ref}`, `refs/tags/${ref}`] : ["HEAD"];
  const listed = await git(["ls-remote", "--", url, ...names]);
  if (listed.status !== 0) throw unreachable(url, listed.stderr);
  const there = listed.stdout.split("\n").map((line) => line.split("\t")[1]);
  const found = names.find((name) => there.includes(name));
  if (found) {
    const problem = await fetch(`+${found}:${wanted}`);
    if (problem !== undefined) throw unreachable(url, problem);
    const commit = await inMirror(wanted);
    if (commit) return commit;
  }
  // A shortened commit, or one that the server does not hand out by its hash: with all branches and tags it is known.
  if (ref && /^[0-9a-f]{7,64}$/.test(ref)) {
    const all = ["+refs/heads/*:refs/halo/heads/*", "+refs/tags/*:refs/halo/tags/*"];
    const { status, stderr } = await git([
      "-C",
      mirror,
      "fetch",
      "--quiet",
      "--force",
      "--no-tags",
      "--depth=2147483647",
      url,
      ...all,
    ]);
    if (status !== 0) throw unreachable(url, stderr);
    const commit = await inMirror(ref);
    if (commit) return commit;
  }
  const { stdout } = await git(["ls-remote", "--heads", "--", url]);
  const branches = [...stdout.matchAll(/refs\/heads\/(.+)$/gm)].map(([, branch]) => branch);
  if (!ref)
    throw new UserError(
      `${url} has no default branch`,
      `give a branch as ref${branches.length ? `: ${branches[0]}` : ", after the first commit"}`,
    );
  throw new UserError(
    `${url} has no branch, tag or commit ${ref}`,
    `correct ref; its branches are ${branches.slice(0, 10).join(", ") || "none"}`,
  );
}

/** Writes the files of a commit, as the repository has them: no setting of the caller's changes a line end. */
async function writeFiles(mirror: string, commit: string, into: string): Promise<void> {
  const index = join(mirror, `index-${process.pid}`);
  const env = {
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_ATTR_NOSYSTEM: "1",
    GIT_INDEX_FILE: index,
  };
  const here = ["--git-dir", mirror, "--work-tree", into, "-c", "core.symlinks=true", "-c", "core.bare=false"];
  const { stdout } = await must(["-C", mirror, "ls-tree", "-r", "-z", commit], "the mirror can be read", env);
  const submodules = [...stdout.matchAll(/(?:^|\0)160000 commit [0-9a-f]+\t([^\0]+)/g)].map(([, path = ""]) => path);
  if (submodules.length > 0) throw withSubmodules(submodules);
  try {
    await must([...here, "read-tree", commit], "the mirror can be read", env);
    await must([...here, "checkout-index", "--all", "--quiet"], "the disk has room", env, into);
  } finally {
    rmSync(index, { force: true });
  }
  refuseLinks(into);
  const paths = [...pathsBelow(into)];
  const attributes = paths.filter((path) => basename(path) === ".gitattributes" && isPlain(join(into, path)));
  if (!attributes.some((path) => readFileSync(join(into, path), "utf8").includes("filter=lfs"))) return;
  const pointer = paths.find((path) => isPointer(join(into, path)));
  if (pointer)
    throw new UserError(
      `${pointer} is kept in Git LFS, and Halo fetches git's own files only`,
      "put the file into git itself, or name a folder that has it as source",
    );
}

const isPlain = (file: string) => lstatSync(file).isFile();

/** Whether a file only says where Git LFS keeps the real one. */
function isPointer(file: string): boolean {
  return (
    isPlain(file) &&
    lstatSync(file).size < 1024 &&
    readFileSync(file, "latin1").startsWith("version https://git-lfs.github.com/spec/")
  );
}

const withSubmodules = (paths: string[]) =>
  new UserError(
    `the source has submodules, which Halo does not fetch: ${paths.slice(0, 5).join(", ")}`,
    "replace each by its files (git rm it, and add them) or by a package of package.json",
  );

const unreachable = (url: string, words: string) =>
  new UserError(
    `git cannot fetch ${url}: ${lastWords(words)}`,
    `make this work, then run this again: git ls-remote ${url}`,
  );

/** Git's own complaint, without the lines around it. */
const lastWords = (text: string) => {
  const lines = text.trim().split("\n").filter(Boolean);
  return (lines.find((line) => /^(fatal|error|ERROR):/.test(line)) ?? lines.at(-1) ?? "no reason given").replace(
    /^fatal: /,
    "",
  );
};

type Result = { status: number | null; stdout: string; stderr: string };

/** Runs git to its end, without a question on the terminal. */
function git(args: string[], env: NodeJS.ProcessEnv = {}, cwd?: string): Promise<Result> {
  const own = Object.entries(process.env).filter(([name]) => !elsewhere.test(name));
  const settings = ["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "gc.autoDetach=false"];
  return new Promise((done, reject) => {
    const child = spawn("git", [...settings, ...args], {
      cwd,
      env: {
        ...Object.fromEntries(own),
        LC_ALL: "C",
        GIT_TERMINAL_PROMPT: "0",
        GIT_ALLOW_PROTOCOL: PROTOCOLS,
        GIT_SSH_COMMAND: process.env.GIT_SSH_COMMAND ?? "ssh -o BatchMode=yes",
        ...env,
      },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: MINUTES * 60_000,
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (chunk) => {
      stdout += chunk;
    });
    child.stderr.setEncoding("utf8").on("data", (chunk) => {
      stderr += chunk;
    });
    child.on("error", (error) => reject(new UserError(`cannot run git: ${error.message}`, "install git")));
    child.on("close", (status, signal) =>
      done({ status, stdout, stderr: signal ? `${stderr}\nfatal: ended after ${MINUTES} minutes` : stderr }),
    );
  });
}

/** The same for a step that fails only where `need` is not so. */
async function must(args: string[], need: string, env?: NodeJS.ProcessEnv, cwd?: string): Promise<Result> {
  const result = await git(args, env, cwd);
  if (result.status !== 0)
    throw new UserError(`git ${args[0]}: ${lastWords(result.stderr)}`, `see that ${need}, then run this again`);
  return result;
}
