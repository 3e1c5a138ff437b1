import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { fetchSource, isAddress } from "../apps/source.ts";
import { copyTree, foreignText, pathsBelow } from "../apps/tree.ts";
import { root } from "../lib/paths.ts";
import { Repository } from "./support/repository.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "halo-app-source-"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const repository = (files: Record<string, string> = { "server.js": "1" }) =>
  new Repository(join(folder, "shop"), files);
let number = 0;
/** Fetches into a new folder; gives the release's part of the name and the files. */
async function fetched(source: string, ref?: string) {
  const into = join(folder, `into-${number++}`);
  mkdirSync(into);
  const { revision, notes } = await fetchSource({ source, ref }, into, join(folder, "mirrors"));
  return { revision, notes, into, files: [...pathsBelow(into)].sort() };
}
const text = async (source: string, ref?: string) =>
  readFileSync(join((await fetched(source, ref)).into, "server.js"), "utf8");

test.each([
  ["https://git.test/you/shop.git", true],
  ["git@git.test:you/shop.git", true],
  ["file:///srv/shop.git", true],
  ["ext::sh -c date", true],
  ["examples/shop", false],
  ["../shop", false],
  ["/srv/shop", false],
  ["C", false],
])("%s is a git address: %o", (source, expected) => {
  expect(isAddress(source)).toBe(expected);
});

describe("a git address", () => {
  test("gives the files of the default branch, without history, and a new commit is another revision", async () => {
    const shop = repository({ "server.js": "1", "lib/a.js": "a", ".npmrc": "x=1", ".gitignore": "out\n" });
    const first = shop.commit();
    shop.put({ "lib/untracked.js": "" });
    expect(await fetched(shop.address)).toMatchObject({
      revision: first.slice(0, 7),
      notes: [],
      files: [".gitignore", ".npmrc", "lib/a.js", "server.js"],
    });
    shop.put({ "server.js": "2" });
    const second = shop.commit();
    const { revision, into } = await fetched(shop.address);
    expect([revision, readFileSync(join(into, "server.js"), "utf8")]).toEqual([second.slice(0, 7), "2"]);
    const [mirror = "", ...others] = readdirSync(join(folder, "mirrors"));
    expect([mirror, others]).toEqual([expect.stringMatching(/^shop-[0-9a-f]{8}\.git$/), []]);
    expect(existsSync(join(folder, "mirrors", mirror, "shallow"))).toBe(true);
  });

  test("gives a branch, a tag, a commit and a shortened one", async () => {
    const shop = repository({ "server.js": "old" });
    const old = shop.commit();
    shop.git("tag", "--annotate", "--message=x", "v1.0");
    shop.put({ "server.js": "main" });
    shop.commit();
    shop.git("switch", "--quiet", "--create", "feature/x+y");
    shop.put({ "server.js": "branch" });
    shop.commit();
    shop.git("switch", "--quiet", "main");
    expect(await text(shop.address, "v1.0")).toBe("old");
    expect(await text(shop.address, "feature/x+y")).toBe("branch");
    expect(await text(shop.address, "main")).toBe("main");
    expect(await text(shop.address, old.slice(0, 9))).toBe("old");
    expect(await text(shop.address, old)).toBe("old");
    expect(await text(pathOfBare(shop), old)).toBe("old");
  });

  test("gives a commit that is no branch's newest in a new mirror", async () => {
    const shop = repository();
    const first = shop.commit();
    shop.put({ "server.js": "2" });
    shop.commit();
    expect(await text(shop.address, first)).toBe("1");
  });

  const pathOfBare = (shop: Repository) => {
    shop.git("clone", "--quiet", "--bare", ".", join(folder, "bare.git"));
    return join(folder, "bare.git");
  };

  test("a commit in the mirror needs the server no more", async () => {
    const shop = repository();
    const first = shop.commit();
    await fetched(shop.address);
    rmSync(shop.folder, { recursive: true });
    expect(await text(shop.address, first)).toBe("1");
  });

  test("has the repository's bytes, whatever git's settings are, and links as links", async () => {
    const shop = repository({ "server.js": "a\nb\n", ".gitattributes": "* text=auto\n" });
    symlinkSync("server.js", join(shop.folder, "main.js"));
    shop.commit();
    writeFileSync(join(folder, "config"), "[core]\n\tautocrlf = true\n\tsymlinks = false\n");
    vi.stubEnv("GIT_CONFIG_GLOBAL", join(folder, "config"));
    vi.stubEnv("GIT_DIR", join(root, ".git"));
    const { into } = await fetched(shop.address);
    expect(readFileSync(join(into, "server.js"), "utf8")).toBe("a\nb\n");
    expect(lstatSync(join(into, "main.js")).isSymbolicLink()).toBe(true);
  });

  test.each([
    ["an unknown ref", "lost", /has no branch, tag or commit lost/, "correct ref; its branches are main, other"],
    [
      "an unknown commit",
      "0123456789",
      /has no branch, tag or commit 0123456789/,
      "correct ref; its branches are main, other",
    ],
  ])("%s is refused with the branches", async (_, ref, words, hint) => {
    const shop = repository();
    shop.commit();
    shop.git("branch", "other");
    await expect(fetched(shop.address, ref)).rejects.toThrow(
      expect.objectContaining({ message: expect.stringMatching(words), hint }),
    );
  });

  test("a repository that does not exist or has no commit is refused with the command that shows it", async () => {
    const lost = `file://${folder}/lost.git`;
    const problem = {
      message: expect.stringContaining(`cannot fetch ${lost}: `),
      hint: `make this work, then run this again: git ls-remote ${lost}`,
    };
    await expect(fetched(lost)).rejects.toThrow(expect.objectContaining(problem));
    await expect(fetched(repository().address)).rejects.toThrow("has no default branch");
  });

  test("an address that starts a program is refused, and the program does not start", async () => {
    const started = join(folder, "started");
    await expect(fetched(`ext::touch ${started}`)).rejects.toThrow("is no address that Halo fetches");
    await expect(fetched(`ext://touch ${started}`)).rejects.toThrow("is no address that Halo fetches");
    expect(existsSync(started)).toBe(false);
  });

  test("a submodule is refused with its path", async () => {
    const part = new Repository(join(folder, "part"), { "a.js": "" });
    part.commit();
    const shop = repository();
    shop.git("submodule", "--quiet", "add", part.address, "lib/part");
    shop.commit();
    const problem = {
      message: "the source has submodules, which Halo does not fetch: lib/part",
      hint: expect.stringContaining("git rm"),
    };
    await expect(fetched(shop.address)).rejects.toThrow(expect.objectContaining(problem));
    await expect(fetched(shop.folder)).rejects.toThrow(expect.objectContaining(problem));
  });

  test("a file in Git LFS is refused with its path", async () => {
    const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    const shop = repository({ ".gitattributes": "*.jpg filter=lfs diff=lfs\n", "images/a.jpg": pointer });
    shop.commit();
    await expect(fetched(shop.address)).rejects.toThrow("images/a.jpg is kept in Git LFS");
  });

  test.each([
    ["leaves the source", "../../etc/passwd", "a"],
    ["is absolute", "/etc/passwd", "a"],
    ["leaves it through another link", "deep/er/../../x", "a"],
  ])("a link that %s is refused", async (_, target, name) => {
    const shop = repository({ "top/x": "" });
    mkdirSync(join(shop.folder, "deep"));
    symlinkSync("../top", join(shop.folder, "deep/er"));
    symlinkSync(target, join(shop.folder, name));
    shop.commit();
    writeFileSync(join(folder, "x"), "outside");
    await expect(fetched(shop.address)).rejects.toThrow(`${name} is a link that leaves the folder: ${target}`);
  });
});

describe("a folder", () => {
  test("gives tracked files and untracked ones that git does not ignore; its commit says that it is changed", async () => {
    const shop = repository({ "server.js": "1", ".gitignore": ".env\nout/\n", ".env": "S=1", "out/x": "" });
    const commit = shop.commit().slice(0, 7);
    expect(await fetched(shop.folder)).toMatchObject({ revision: commit, files: [".gitignore", "server.js"] });
    shop.put({ "new.js": "" });
    expect(await fetched(shop.folder)).toMatchObject({
      revision: `${commit}-changed`,
      files: [".gitignore", "new.js", "server.js"],
    });
    expect(await text(shop.folder, "main")).toBe("1");
  });

  test("below the top of a repository has that one's commit and its own files alone", async () => {
    const shop = repository({ "apps/desk/server.js": "1", "apps/other.js": "" });
    const commit = shop.commit().slice(0, 7);
    const desk = join(shop.folder, "apps/desk");
    expect(await fetched(desk)).toMatchObject({ revision: commit, notes: [], files: ["server.js"] });
    expect(await fetched(relative(root, desk))).toMatchObject({ revision: commit });
    shop.put({ "apps/other.js": "2" });
    expect(await fetched(desk)).toMatchObject({ revision: commit });
    await expect(fetched(desk, "main")).rejects.toThrow("is not the top folder of one");
  });

  test("without git gives all but hidden files, and says so", async () => {
    mkdirSync(join(folder, "plain"));
    for (const name of ["server.js", ".env"]) writeFileSync(join(folder, "plain", name), "");
    expect(await fetched(join(folder, "plain"))).toMatchObject({
      revision: "nogit",
      notes: [expect.stringContaining("no commit")],
      files: ["server.js"],
    });
  });

  test("that does not exist, or that git ignores, is refused", async () => {
    await expect(fetched(join(folder, "lost"))).rejects.toThrow("does not exist");
    const shop = repository({ ".gitignore": "out/\n", "out/x": "" });
    shop.commit();
    await expect(fetched(join(shop.folder, "out"))).rejects.toThrow("has no file that git would keep");
  });
});

test("a text of a foreign project is read within its folder alone", () => {
  mkdirSync(join(folder, "shop"));
  writeFileSync(join(folder, "secret"), "password");
  symlinkSync("../secret", join(folder, "shop/package.json"));
  symlinkSync("lost", join(folder, "shop/lost.json"));
  writeFileSync(join(folder, "shop/real"), "text");
  symlinkSync("real", join(folder, "shop/alias"));
  mkdirSync(join(folder, "shop/Procfile"));
  const read = (path: string) => foreignText(join(folder, "shop"), path);
  expect([read("alias"), read("none")]).toEqual(["text", undefined]);
  expect(() => read("package.json")).toThrow("package.json is a link that leaves the source");
  expect(() => read("lost.json")).toThrow("lost.json is a link to nothing");
  expect(() => read("Procfile")).toThrow("Procfile is no file");
});

describe("a copied tree", () => {
  test("has files of our own with plain modes, and its size is given", () => {
    mkdirSync(join(folder, "from/bin"), { recursive: true });
    writeFileSync(join(folder, "from/bin/run"), "12345", { mode: 0o4777 });
    writeFileSync(join(folder, "from/a"), "1", { mode: 0o600 });
    symlinkSync("bin/run", join(folder, "from/link"));
    expect(copyTree(join(folder, "from"), join(folder, "to"))).toEqual({ files: 3, bytes: 6 + "bin/run".length });
    expect(lstatSync(join(folder, "to/bin/run")).mode & 0o7777).toBe(0o755);
    expect(lstatSync(join(folder, "to/a")).mode & 0o7777).toBe(0o644);
    expect(lstatSync(join(folder, "to/a")).uid).toBe(process.getuid?.());
    expect(lstatSync(join(folder, "to/link")).isSymbolicLink()).toBe(true);
  });

  test("is bounded, and its top may be no link that leaves the source", () => {
    mkdirSync(join(folder, "from"));
    for (const name of ["a", "b"]) writeFileSync(join(folder, "from", name), "123");
    const copy = (most: { files: number; bytes: number }) =>
      copyTree(join(folder, "from"), join(folder, "to"), { most });
    expect(copy({ files: 2, bytes: 6 })).toEqual({ files: 2, bytes: 6 });
    expect(() => copy({ files: 1, bytes: 6 })).toThrow("more than 0 MiB or 1 files");
    expect(() => copy({ files: 2, bytes: 5 })).toThrow("more than 0 MiB");
    symlinkSync("/etc", join(folder, "from/etc"));
    const out = () => copyTree(join(folder, "from/etc"), join(folder, "out"), { within: join(folder, "from") });
    expect(out).toThrow("leads out of the source");
    const other = () => copyTree(join(folder, "from"), join(folder, "out"), { owner: (process.getuid?.() ?? 0) + 1 });
    expect(other).toThrow("a belongs to another user");
  });
});
