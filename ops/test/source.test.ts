import { execFileSync } from "node:child_process";
import {
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { copyFiles, revision, sourceFiles } from "../lib/source.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "halo-source-"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const put = (files: Record<string, string>, below = folder) => {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(below, path)), { recursive: true });
    writeFileSync(join(below, path), content);
  }
};
const git = (...args: string[]) =>
  execFileSync("git", ["-C", folder, "-c", "user.name=T", "-c", "user.email=t@t.test", ...args], { encoding: "utf8" });
const commit = () => {
  git("init", "--quiet");
  git("add", "--all");
  git("commit", "--quiet", "--message=first");
  return git("rev-parse", "--short=7", "HEAD").trim();
};

describe("the name of the present state", () => {
  test("is the commit, and -changed with an untracked file, whatever git's settings hide", () => {
    put({ "app/main.ts": "1" });
    const head = commit();
    expect(revision(folder, ["app"])).toEqual({ name: head });
    git("config", "status.showUntrackedFiles", "no");
    put({ "app/new.ts": "2" });
    expect(revision(folder, ["app"])).toEqual({ name: `${head}-changed` });
    expect(revision(folder, ["other"])).toEqual({ name: head });
  });

  test("does not follow a GIT_DIR of the caller's, as a hook has one", () => {
    put({ "app/main.ts": "1" });
    const head = commit();
    vi.stubEnv("GIT_DIR", join(import.meta.dirname, "../../.git"));
    vi.stubEnv("GIT_WORK_TREE", tmpdir());
    expect(revision(folder, ["app"])).toEqual({ name: head });
  });

  test.runIf(process.getuid?.() === 0)("is the commit also in a folder of another user's", () => {
    put({ "app/main.ts": "1" });
    const head = commit();
    for (const path of ["", ".git"]) chownSync(join(folder, path), 65534, 65534);
    expect(revision(folder, ["app"])).toEqual({ name: head });
  });

  test("has no commit of a repository around the folder, and says so", () => {
    put({ "outer.txt": "1" });
    commit();
    put({ "inner/app/main.ts": "1" });
    expect(revision(join(folder, "inner"), ["app"])).toEqual({
      name: "nogit",
      note: expect.stringContaining(`inside another repository, ${folder}`),
    });
  });

  test("has none without a repository, or without a commit, and says so", () => {
    expect(revision(folder, ["app"])).toEqual({ name: "nogit", note: expect.stringContaining("not a git repository") });
    git("init", "--quiet");
    expect(revision(folder, ["app"])).toEqual({ name: "nogit", note: expect.stringContaining("has no commit") });
  });
});

describe("a release's files", () => {
  test("are the tracked ones and the untracked ones that git does not ignore", () => {
    put({ ".gitignore": ".env\n", "app/main.ts": "1", "app/gone.ts": "1", "app/.env": "PASSWORD=x" });
    commit();
    put({ "app/new file.ts": "2", "app/ä.ts": "3" });
    rmSync(join(folder, "app/gone.ts"));
    expect(sourceFiles(folder, join(folder, "app"))).toEqual(["main.ts", "new file.ts", "ä.ts"]);
  });

  test("are all but hidden ones without a repository", () => {
    put({ "app/main.ts": "1", "app/.env": "PASSWORD=x", "app/.cache/x": "", "app/deep/er.ts": "2" });
    expect(sourceFiles(folder, join(folder, "app"))).toEqual(["deep/er.ts", "main.ts"]);
  });

  test("are copied with their modes, links as links", () => {
    put({ "app/release.ts": "1", "app/lib/a.ts": "2", "app/run": "#!/bin/sh" });
    execFileSync("chmod", ["755", join(folder, "app/run")]);
    symlinkSync("release.ts", join(folder, "app/alias.ts"));
    symlinkSync("../release.ts", join(folder, "app/lib/up.ts"));
    symlinkSync("lib", join(folder, "app/sub"));
    copyFiles(join(folder, "app"), join(folder, "out"), sourceFiles(folder, join(folder, "app")));
    expect(readlinkSync(join(folder, "out/alias.ts"))).toBe("release.ts");
    expect(readlinkSync(join(folder, "out/lib/up.ts"))).toBe("../release.ts");
    expect(readFileSync(join(folder, "out/sub/a.ts"), "utf8")).toBe("2");
    expect(lstatSync(join(folder, "out/run")).mode & 0o777).toBe(0o755);
  });

  test.each([
    ["leads out of the folder", "../secret", "leaves the folder"],
    ["is absolute", "/etc/passwd", "leaves the folder"],
    ["leads to nothing", "lost.ts", "does not go into the release"],
    ["leads to a file that is not packed", ".env", "does not go into the release"],
  ])("a link that %s is refused with its name", (_, target, words) => {
    put({ secret: "1", "app/main.ts": "1", "app/.env": "1" });
    symlinkSync(target, join(folder, "app/alias.ts"));
    const copy = () => copyFiles(join(folder, "app"), join(folder, "out"), sourceFiles(folder, join(folder, "app")));
    expect(copy).toThrow(words);
    expect(copy).toThrow("app/alias.ts");
  });

  test("a file of another kind is refused", () => {
    put({ "app/main.ts": "1" });
    execFileSync("mkfifo", [join(folder, "app/pipe")]);
    expect(() => copyFiles(join(folder, "app"), join(folder, "out"), ["pipe"])).toThrow("neither a file nor a link");
  });
});

test("a clone with core.autocrlf has the same bytes", () => {
  const root = join(import.meta.dirname, "../..");
  for (const file of [".gitattributes", "ops/run", "app/migrations/0001-workshop.sql"])
    put({ [file]: readFileSync(join(root, file), "utf8") });
  commit();
  execFileSync("git", ["clone", "--quiet", "-c", "core.autocrlf=true", folder, join(folder, "clone")]);
  for (const file of ["ops/run", "app/migrations/0001-workshop.sql"])
    expect(readFileSync(join(folder, "clone", file))).toEqual(readFileSync(join(root, file)));
});
