import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { afterAll, beforeEach, describe, expect, test, vi } from "vitest";
import { atNight } from "../../test/lib/night.ts";
import { type Built, buildApp } from "../apps/build.ts";
import { usualBounds } from "../apps/confine.ts";
import type { Entry } from "../cluster/apps.ts";
import { root } from "../lib/paths.ts";
import { kept } from "../lib/releases.ts";
import { Repository } from "./support/repository.ts";

// Not in the project's own .halo, nor in /tmp, which root's builds do not see anyway; and others may read it.
const folder = mkdtempSync(join(process.getuid?.() === 0 ? "/var/tmp" : tmpdir(), "halo-app-build-"));
chmodSync(folder, 0o755);
const local = (...parts: string[]) => join(folder, ".halo", ...parts);
vi.mock(import("../lib/paths.ts"), async (original) => ({
  ...(await original()),
  localPath: (...parts: string[]) => local(...parts),
}));
mkdirSync(local());
afterAll(() => rmSync(folder, { recursive: true }));

let said: string[] = [];
beforeEach(() => {
  said = [];
});
const build = (name: string, entry: Entry, after = "", options: Parameters<typeof buildApp>[2] = {}) =>
  buildApp({ name, entry }, after, {
    say: (line) => said.push(line),
    ...options,
  });
const inArchive = (built: Built) =>
  execFileSync("tar", ["--list", "--gzip", "--file", built.file], { encoding: "utf8" })
    .trim()
    .split("\n")
    .map((path) => path.replace(/^\.\//, ""))
    .filter(Boolean)
    .sort();
const owners = (built: Built) =>
  execFileSync("tar", ["--list", "--verbose", "--gzip", "--file", built.file], { encoding: "utf8" })
    .trim()
    .split("\n")
    .map((line) => line.split(/ +/).slice(0, 2).join(" "));
const text = (built: Built, path: string) =>
  execFileSync("tar", ["--extract", "--to-stdout", "--gzip", "--file", built.file, `./${path}`], { encoding: "utf8" });
let number = 0;
/** A repository without packages; its files are one text each. */
const repository = (
  files: Record<string, string> = {},
  manifest: object = { scripts: { start: "node server.js" } },
) => {
  const made = new Repository(join(folder, `source-${number++}`), {
    "package.json": JSON.stringify(manifest),
    "server.js": "",
    ...files,
  });
  made.commit();
  return made;
};
const problem = (message: string | RegExp, hint: string) =>
  expect.objectContaining({
    message: typeof message === "string" ? expect.stringContaining(message) : expect.stringMatching(message),
    hint: expect.stringContaining(hint),
  });

test("plain: a release has git's files, its id and its start; each commit is a release of its own, and five are kept", async () => {
  const plain = Repository.of("plain", join(folder, "plain"));
  const first = await build("plain", { source: plain.address });
  expect(first).toMatchObject({
    id: expect.stringMatching(new RegExp(`^\\d{8}T\\d{6}Z-${plain.git("rev-parse", "HEAD").slice(0, 7)}$`)),
    file: local(`releases/plain/${first.id}.tar.gz`),
    sha256: execFileSync("sha256sum", [first.file], { encoding: "utf8" }).slice(0, 64),
    notes: [],
    size: { files: 2 },
  });
  expect(inArchive(first)).toEqual(["RELEASE", "RELEASE.env", "package.json", "server.js"]);
  expect([text(first, "RELEASE"), text(first, "RELEASE.env")]).toEqual([
    `${first.id}\n`,
    "HALO_START=server.js\nHALO_MODE=cluster\nHALO_PATH=.\n",
  ]);
  expect(said.at(-1)).toMatch(/^plain: release .* KiB in 2 files, built in /);

  const ids = [first.id];
  for (let i = 0; i < kept; i++) {
    plain.put({ "server.js": `// ${i}` });
    plain.commit();
    ids.push((await build("plain", { source: plain.address }, i === 0 ? "20990101T000000Z-0000000" : "")).id);
  }
  expect(ids[1]).toMatch(/^20990101T000001Z-/); // newer than the hosts' newest
  expect(ids).toEqual([...ids].sort());
  expect(readdirSync(local("releases/plain")).sort()).toEqual(ids.slice(1).map((id) => `${id}.tar.gz`));
});

atNight(
  "store: packages of the lock are in the release, and a second build with the same lock takes the kept ones",
  async () => {
    const store = Repository.of("store", join(folder, "store"));
    const first = await build("store", { source: store.address });
    const files = inArchive(first);
    for (const path of ["node_modules/express/package.json", "node_modules/pg/package.json", "src/migrate.js"])
      expect(files).toContain(path);
    expect(text(first, "package-lock.json")).toBe(readFileSync(join(store.folder, "package-lock.json"), "utf8"));
    expect(text(first, "RELEASE.env")).toContain("HALO_START=src/server.js\n");
    const [mark = ""] = globSync("installed/store/*/node_modules/pg", { cwd: local() });
    writeFileSync(local(mark, "mark"), "");
    const second = await build("store", { source: store.address }, first.id);
    expect(inArchive(second)).toContain("node_modules/pg/mark");
    // The archives are of the caller, whichever user ran the build.
    expect(new Set(owners(second).map((each) => each.split(" ")[1])).size).toBe(1);
    expect(process.getuid?.() !== 0 || owners(second)[0] === "drwxr-xr-x root/root").toBe(true);
    store.put({
      "package-lock.json": readFileSync(join(store.folder, "package-lock.json"), "utf8").replace("store", "shop"),
    });
    store.commit();
    expect(inArchive(await build("store", { source: store.address }))).not.toContain("node_modules/pg/mark");
    expect(readdirSync(local("installed/store"))).toHaveLength(1);
    store.put({
      "package.json": readFileSync(join(store.folder, "package.json"), "utf8").replace(
        '"express"',
        '"pino": "10.4.0", $&',
      ),
    });
    store.commit();
    const problem = await build("store", { source: store.address }).catch(String);
    expect(problem).toMatch(/npm ci failed.*[\s\S]*Missing: pino/);
    expect(problem).not.toContain("Usage:");
  },
);

test("spa: the build has devDependencies and its variables; the release has the folder that is served, and nothing else", async () => {
  const spa = Repository.of("spa", join(folder, "spa"), { "public/.hidden": "" });
  const entry = { source: spa.address, static: { folder: "dist/" }, build_env: { TITLE: "Shop" } };
  const first = await build("spa", entry);
  const script = inArchive(first).find((path) => path.endsWith(".js")) ?? "";
  expect(inArchive(first)).toEqual(["RELEASE", "web/", "web/assets/", script, "web/index.html"]);
  expect(script).toMatch(/^web\/assets\/main-[A-Z0-9]{8}\.js$/);
  expect(text(first, script)).toContain("Shop");
  expect(text(first, "web/index.html")).toContain(script.slice("web/".length));
  const second = await build("spa", { ...entry, build_env: { TITLE: "Desk" } });
  expect(inArchive(second)).not.toContain(script);
  await expect(build("spa", { source: spa.address, static: "build" })).rejects.toThrow(
    problem("spa: static: the app has no folder build", "name the folder"),
  );
  // Without static it is an ordinary app, whose devDependencies stay out.
  const app = await build("spa", { source: spa.address, start: "node build.js" });
  expect(inArchive(app).filter((path) => /node_modules\/@?esbuild.*[^/]$/.test(path))).toEqual([]);
  expect(inArchive(app)).toContain("dist/index.html");
});

test("mono: workspaces are linked, the build runs in the app's folder, and the start is written", async () => {
  const mono = Repository.of("mono", join(folder, "mono"));
  const built = await build("mono", { source: mono.address, path: "packages/api" });
  expect(text(built, "RELEASE.env")).toBe(
    "HALO_START=--enable-source-maps lib/server.js --quiet\nHALO_MODE=cluster\nHALO_PATH=packages/api\n",
  );
  mkdirSync(join(folder, "mono-out"));
  execFileSync("tar", ["--extract", "--gzip", "--file", built.file, "--directory", join(folder, "mono-out")]);
  const place = join(folder, "mono-out/packages/api");
  const found = execFileSync(process.execPath, ["-p", 'require("@mono/texts").greeting("x")'], {
    cwd: place,
    encoding: "utf8",
  });
  expect(found).toBe("Hello from x\n");
});

test("worker: Procfile's web is the start, a process beside it has a script of its own, and a folder is kept", async () => {
  const worker = Repository.of("worker", join(folder, "worker"));
  const entry = { source: worker.folder, processes: { worker: "node worker.js" }, writable: ["data"] };
  expect(text(await build("worker", entry), "RELEASE.env")).toBe(
    "HALO_START=web.js --label procfile\nHALO_MODE=cluster\nHALO_PATH=.\nHALO_WRITABLE=data\nHALO_PROCESS_worker=worker.js\n",
  );
  const wrong = { source: worker.folder, processes: { mail: "node absent.js" } };
  await expect(build("worker", wrong)).rejects.toThrow(/the release has no file absent\.js/);
});

atNight("a program of a package is Node's script, in mode fork; one that only the build has is refused", async () => {
  const spa = Repository.of("spa", join(folder, "program"));
  const manifest = JSON.parse(readFileSync(join(spa.folder, "package.json"), "utf8"));
  const lock = JSON.parse(readFileSync(join(spa.folder, "package-lock.json"), "utf8"));
  await expect(build("program", { source: spa.folder, start: "esbuild --serve" })).rejects.toThrow(
    problem("program: start: the release has no program esbuild", "devDependencies are not in a release"),
  );
  for (const each of [manifest, lock.packages[""]]) {
    each.dependencies = each.devDependencies;
    delete each.devDependencies;
  }
  for (const each of Object.values<{ dev?: boolean }>(lock.packages)) delete each.dev;
  spa.put({ "package.json": JSON.stringify(manifest), "package-lock.json": JSON.stringify(lock) });
  const built = await build("program", { source: spa.folder, start: "esbuild --serve", build: false });
  expect(text(built, "RELEASE.env")).toBe(
    "HALO_START=node_modules/esbuild/bin/esbuild --serve\nHALO_MODE=fork\nHALO_PATH=.\n",
  );
  const arch = process.arch === "x64" ? "arm64" : "x64";
  await expect(
    build("program", { source: spa.folder, start: "node build.js", build: false }, "", { arch }),
  ).rejects.toThrow(
    problem(
      new RegExp(`^program: .*esbuild.* machine code for linux ${process.arch}, and the hosts are linux ${arch}`),
      "deploy from a controller",
    ),
  );
});

test("no install script runs but the ones of the named packages", async () => {
  const dependencies = { one: "file:one", two: "file:two" };
  const install = { scripts: { install: "node -e \"require('fs').writeFileSync('installed', process.env.HOME)\"" } };
  const files = Object.fromEntries(
    ["one", "two"].map((name) => [`${name}/package.json`, JSON.stringify({ name, version: "1.0.0", ...install })]),
  );
  const lock = {
    name: "scripts",
    lockfileVersion: 3,
    packages: {
      "": { name: "scripts", dependencies },
      one: { version: "1.0.0", hasInstallScript: true },
      two: { version: "1.0.0", hasInstallScript: true },
      "node_modules/one": { resolved: "one", link: true },
      "node_modules/two": { resolved: "two", link: true },
    },
  };
  const manifest = {
    name: "scripts",
    dependencies,
    scripts: { start: "node server.js", postinstall: "touch installed" },
  };
  const made = repository(
    { ...files, "package-lock.json": JSON.stringify(lock), ".npmrc": "ignore-scripts=false\n" },
    manifest,
  );
  const paths = inArchive(await build("scripts", { source: made.address, scripts: ["two"] }));
  expect(paths.filter((path) => path.endsWith("installed"))).toEqual(["two/installed"]);
  await expect(build("scripts", { source: made.address, scripts: ["three"] })).rejects.toThrow(
    problem("scripts: scripts: the app has no package three", "take it out"),
  );
});

describe("a build that is wrong", () => {
  const failing = (script: string, files: Record<string, string> = {}) =>
    repository(files, { scripts: { start: "node server.js", build: script } });

  test("ends with its last lines, without characters that a terminal obeys", async () => {
    const made = failing("printf 'first\\n\\033[31mlast\\033]0;x\\007\\n'; exit 3");
    const { message, hint } = await build("wrong", { source: made.address }).then(
      () => ({ message: "", hint: "" }),
      (error) => error,
    );
    expect(message).toMatch(/^wrong: the build failed \(exit status 3\)\n[\s\S]*\n {2}first\n {2}last$/);
    expect(message.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
    expect(hint).toContain("build-wrong.log");
    expect(readdirSync(folder).filter((name) => name.startsWith("halo-build-"))).toEqual([]);
  });

  test("ends after its time, with every process that it has started", async () => {
    const marker = `${process.pid}.31`; // seconds that no other process sleeps
    const made = failing(`sleep 1${marker} & setsid sleep 1${marker}; wait`);
    await expect(
      build("slow", { source: made.address }, "", { bounds: { ...usualBounds, minutes: 0.1 } }),
    ).rejects.toThrow("slow: the build took longer than the 0.1 minutes that a build has");
    const alive = globSync("/proc/[0-9]*/cmdline").filter((file) => {
      try {
        return readFileSync(file, "utf8").split("\0").includes(`1${marker}`);
      } catch {
        return false; // it has ended
      }
    });
    // An ordinary user's build may leave a process behind that has left its group.
    expect(alive.length).toBeLessThanOrEqual(process.getuid?.() === 0 ? 0 : 1);
  });

  test("ends where it writes more than its bound", async () => {
    const made = failing("head -c 9000000 /dev/zero >large");
    await expect(
      build("large", { source: made.address }, "", { bounds: { ...usualBounds, mebibytes: 8 } }),
    ).rejects.toThrow("large: the build wrote more than 8 MiB");
  });

  test.each([
    ["a link out of the release", "ln -s /etc/passwd users", /users is a link that leaves the folder: \/etc\/passwd/],
    ["a pipe", "mkfifo pipe", /pipe is neither a file nor a link/],
    ["no file to start", "rm server.js", /start: the release has no file server\.js/],
  ])("is refused with %s", async (_, script, words) => {
    await expect(build("odd", { source: failing(script).address })).rejects.toThrow(words);
    expect(existsSync(local("releases/odd")) ? readdirSync(local("releases/odd")) : []).toEqual([]);
  });

  test("is not read through a folder that it made a link to elsewhere", async () => {
    const made = failing("rm -rf dist && ln -s /etc dist");
    await expect(build("odd", { source: made.address, static: "dist" })).rejects.toThrow("leads out of the source");
  });

  test("is refused where the source has Halo's own files, or nothing to start", async () => {
    await expect(build("odd", { source: repository({ RELEASE: "1" }).address })).rejects.toThrow(
      "the source has a file RELEASE",
    );
    const empty = new Repository(join(folder, "empty"), { "readme.txt": "" });
    empty.commit();
    await expect(build("odd", { source: empty.address })).rejects.toThrow(
      problem("odd: nothing says how it starts", "start: node server.js"),
    );
    await expect(build("odd", { source: repository().address, start: "node 'a b.js'" })).rejects.toThrow(
      "odd: start: the release has no file a b.js",
    );
  });
});

describe("foreign code", () => {
  const secret = local("secrets/password");
  mkdirSync(local("secrets"));
  writeFileSync(secret, "word", { mode: 0o644 });
  const source = () => {
    const made = repository(
      { "intruder.cjs": readFileSync(join(import.meta.dirname, "programs/intruder.cjs"), "utf8") },
      { scripts: { start: "node server.js" } },
    );
    const wish = { read: [secret, local(), homedir(), tmpdir()], write: ["/etc/halo-intruder", "here"] };
    return { source: made.address, build: `node intruder.cjs '${JSON.stringify(wish)}'` };
  };

  test("trusts the certificates that its caller's Node and npm trust", async () => {
    const files = rootCertificates.slice(0, 2).map((certificate, i) => {
      const file = join(folder, `ca-${i}.pem`);
      writeFileSync(file, certificate);
      return file;
    });
    vi.stubEnv("NODE_EXTRA_CA_CERTS", files[0]);
    vi.stubEnv("npm_config_cafile", files[1]);
    const command = 'cp "$NODE_EXTRA_CA_CERTS" extra.pem; cp "$npm_config_cafile" npm.pem';
    const built = await build("trusting", { source: repository().address, build: command });
    expect(["extra.pem", "npm.pem"].map((file) => text(built, file))).toEqual(rootCertificates.slice(0, 2));
    vi.unstubAllEnvs();
  });

  test("has a clean environment and a home of its own, for every caller, and no file of it is special in the release", async () => {
    vi.stubEnv("HALO_TEST_TOKEN", "secret");
    vi.stubEnv("npm_config__authToken", "secret");
    const built = await build("intruder", { ...source(), build_env: { API: "x" } });
    const { environment, home, folder: place, read, ...found } = JSON.parse(text(built, "found.json"));
    expect(environment.filter((name: string) => /TOKEN|auth/i.test(name))).toEqual([]);
    for (const name of ["API", "HOME", "PATH", "TMPDIR"]) expect(environment).toContain(name);
    expect(home).toBe(join(place, "../home"));
    expect(existsSync(place)).toBe(false);
    expect(owners(built)).toContain(`-rwxr-xr-x ${owners(built)[0]?.split(" ")[1]}`);
    expect(owners(built).join()).not.toContain("s");
    if (process.getuid?.() !== 0) return;
    // As root: another user without rights, no other process, an empty .halo, home and /tmp.
    const nobody = execFileSync("id", ["-u", "nobody"], { encoding: "utf8" }).trim();
    expect(found).toMatchObject({
      user: `${nobody}\t${nobody}\t${nobody}\t${nobody}`,
      noNewPrivileges: "1",
      rights: "0000000000000000",
      groups: "",
    });
    expect(found.processes).toBeLessThan(8);
    expect(found.written).toEqual(["EACCES", null]);
    expect(read).toEqual(["ENOENT", [], [], []]);
    expect(existsSync("/etc/halo-intruder")).toBe(false);
  });

  test.runIf(process.getuid?.() === 0)(
    "runs no program of its own as root, whatever the program's name is",
    async () => {
      const owned = local("owned");
      const made = repository({}, { scripts: { start: "node server.js" } });
      for (const name of ["mount", "prlimit", "setpriv", "sh", "env"]) {
        made.put({ [`node_modules/.bin/${name}`]: `#!/bin/sh\nid -u >>${owned}\nexec /usr/bin/${name} "$@"\n` });
        chmodSync(join(made.folder, "node_modules/.bin", name), 0o755);
      }
      made.commit();
      await build("intruder", { source: made.address, build: "mount || true" });
      expect(existsSync(owned)).toBe(false);
    },
  );

  test("a link in the source cannot make the build's reader read elsewhere", async () => {
    const made = repository();
    symlinkSync(secret, join(made.folder, ".nvmrc"));
    made.commit();
    await expect(build("intruder", { source: made.address })).rejects.toThrow(
      ".nvmrc is a link that leaves the folder",
    );
  });
});

test("the project's own folder has got no file of these tests", () => {
  expect(existsSync(join(root, ".halo/releases/intruder"))).toBe(false);
});
