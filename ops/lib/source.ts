import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  symlinkSync,
} from "node:fs";
import { dirname, isAbsolute, join, relative } from "node:path";
import { UserError } from "./cli.ts";

/** The repository of a project's own, or why a folder has none that knows its files. */
type Repository = { head: string; git(...args: string[]): string } | { without: string };

/**
 * Finds the git repository whose top folder is `project`. The caller's git settings and environment have no say: a hook
 * sets GIT_DIR, and a setting may hide untracked files.
 */
function repositoryOf(project: string): Repository {
  const top = realpathSync(project);
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("GIT_"));
  // A person who runs this project's commands trusts its folder, also where another user owns it.
  const settings = [
    `safe.directory=${top}`,
    "core.fsmonitor=false",
    "core.quotePath=false",
    "core.hooksPath=/dev/null",
  ];
  const run = (args: string[]) =>
    spawnSync("git", ["-C", top, ...settings.flatMap((setting) => ["-c", setting]), ...args], {
      encoding: "utf8",
      env: { ...Object.fromEntries(own), LC_ALL: "C" },
      maxBuffer: 1 << 28,
    });
  const { status, stdout, stderr, error } = run(["rev-parse", "--show-toplevel"]);
  if (error) return { without: `git does not run (${error.message})` };
  if (status !== 0) return { without: stderr.trim().split("\n")[0] ?? "git gives no reason" };
  if (stdout.trimEnd() !== top) return { without: `the folder lies inside another repository, ${stdout.trimEnd()}` };
  const { status: born, stdout: head } = run(["rev-parse", "--short=7", "--verify", "--quiet", "HEAD"]);
  if (born !== 0) return { without: "the repository has no commit" };
  const git = (...args: string[]) => {
    const done = run(args);
    if (done.status === 0) return done.stdout;
    throw new UserError(
      `git ${args.join(" ")}: ${done.stderr.trim()}`,
      "make git work in this folder, then run this again",
    );
  };
  return { head: head.trim(), git };
}

/**
 * The name of a project's present state: its commit, and "-changed" where the files below `paths` differ from it,
 * untracked ones included. `note` says why there is no commit in the name.
 */
export function revision(project: string, paths: string[]): { name: string; note?: string } {
  const repository = repositoryOf(project);
  if ("without" in repository)
    return { name: "nogit", note: `the release's name has no commit, for git says: ${repository.without}` };
  const changed = repository.git("status", "--porcelain", "--untracked-files=all", "--", ...paths);
  return { name: repository.head + (changed ? "-changed" : "") };
}

/**
 * The files of a project below `folder` (both absolute), as paths from `folder`, in order: tracked ones and untracked ones
 * that git does not ignore. Without a repository of the project's own: all but hidden ones, for these hold local settings.
 */
export function sourceFiles(project: string, folder: string): string[] {
  const repository = repositoryOf(project);
  const below = relative(realpathSync(project), realpathSync(folder));
  const found =
    "without" in repository
      ? visible(folder)
      : repository
          .git("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate", "--", below || ".")
          .split("\0")
          .filter(Boolean)
          .map((path) => relative(below, path))
          .filter((path) => lstatSync(join(folder, path), { throwIfNoEntry: false }) !== undefined);
  return found.sort();
}

/** All files below a folder, as paths from there, without hidden ones. Not by readdir's `recursive`, which follows links. */
function visible(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => !name.startsWith("."))
    .flatMap((entry) =>
      entry.isDirectory() ? visible(join(folder, entry.name)).map((path) => join(entry.name, path)) : [entry.name],
    );
}

/**
 * Copies these files of a folder into another one, links as links. Throws a UserError for a link that leads to none of
 * them, and for a file of another kind: on a host there would be nothing behind it.
 */
export function copyFiles(from: string, to: string, files: string[]): void {
  const refuse = (path: string, problem: string) =>
    new UserError(`${join(from, path)} ${problem}`, "replace it by a file, or remove it; then run this again");
  const packed = new Set(files.flatMap((path) => [path, ...parents(path)]));
  for (const path of files) {
    const source = join(from, path);
    const target = join(to, path);
    const state = lstatSync(source);
    mkdirSync(dirname(target), { recursive: true });
    if (state.isSymbolicLink()) {
      const link = readlinkSync(source);
      const leads = relative(from, join(dirname(source), link));
      if (isAbsolute(link) || leads.startsWith("..")) throw refuse(path, `is a link that leaves the folder: ${link}`);
      if (!packed.has(leads)) throw refuse(path, `is a link to ${link}, which does not go into the release`);
      symlinkSync(link, target);
    } else if (state.isFile()) {
      copyFileSync(source, target);
      chmodSync(target, state.mode & 0o777);
    } else throw refuse(path, "is neither a file nor a link");
  }
}

/** "a/b/c" gives "a/b", "a" and "". */
function parents(path: string): string[] {
  const parent = dirname(path);
  return parent === "." ? [""] : [parent, ...parents(parent)];
}
