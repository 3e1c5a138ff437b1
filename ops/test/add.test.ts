import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test, vi } from "vitest";
import { add } from "../apps/add.ts";
import { nameFor, portFor, reservedNames, withEntry, withoutEntry, withSecret } from "../apps/entry.ts";
import { remove } from "../apps/remove.ts";
import { appsFile, defaultPort, parseApps } from "../cluster/apps.ts";
import { hosts } from "../cluster/inventory.ts";
import { firewallServices } from "../cluster/services.ts";
import { counterSite, sites } from "../cluster/sites.ts";
import { filter } from "./support/filter.ts";
import { Repository } from "./support/repository.ts";

// A project's root of the test's own: the command writes into ansible/group_vars.
const { project } = vi.hoisted(() => ({ project: { root: "" } }));
vi.mock(import("../lib/paths.ts"), async (original) => {
  const { root } = await original();
  const { mkdtempSync: make } = await import("node:fs");
  project.root = make("/tmp/halo-add-root-");
  for (const part of ["ansible/group_vars", "ansible/inventory", "ansible/roles"])
    (await import("node:fs")).cpSync(`${root}/${part}`, `${project.root}/${part}`, { recursive: true });
  return { root: project.root, localPath: (...parts: string[]) => [project.root, ".halo", ...parts].join("/") };
});
const folder = mkdtempSync(join(tmpdir(), "halo-add-"));
afterAll(() => {
  for (const each of [folder, project.root]) rmSync(each, { recursive: true });
});

const file = () => join(project.root, appsFile);
let printed = "";
beforeEach(() => {
  rmSync(file(), { force: true });
  printed = "";
  vi.spyOn(console, "log").mockImplementation((text) => {
    printed += `${text}\n`;
  });
});
const problem = (message: string, hint: string) =>
  expect.objectContaining({ message: expect.stringContaining(message), hint: expect.stringContaining(hint) });
let number = 0;
const source = (fixture = "plain", files: Record<string, string> = {}) =>
  Repository.of(fixture, join(folder, String(number++), fixture), files);

describe("npm run add", () => {
  test("writes an entry, and prints what it has found, assumes and leaves to the person", async () => {
    const store = source("store");
    await add([store.address]);
    const text = readFileSync(file(), "utf8");
    expect(text).toMatch(/^# Your own apps/);
    const [app] = parseApps(text);
    const domain = `store.${counterSite().domain}`;
    expect(app?.entry).toEqual({
      source: store.address,
      redis: true,
      postgres: true,
      migrate: "node --run migrate",
      health: "/healthz",
      secrets: ["SESSION_SECRET"],
      domains: [domain],
    });
    const commit = store.git("rev-parse", "HEAD").slice(0, 7);
    expect(printed).toContain(
      `store: ${store.address} at ${commit}\n\nFound:\n  package.json: store 1.0.0; package-lock.json`,
    );
    expect(printed).toContain("\nAssumed:\n  redis: true (it uses ioredis)\n");
    expect(printed).toContain(`  port: ${defaultPort("store")} (it follows from the name)\n`);
    expect(printed).toContain("\nNeeds your decision:\n  .env.example names variables");
    expect(printed).toContain(`    domains: [${domain}]\n`);
    expect(printed).toContain("npm run deploy -- store");
    expect(existsSync(`${file()}.new`)).toBe(false);
  });

  test("keeps an entry that was written while it fetched the source", async () => {
    const adding = add([source("store").address]);
    writeFileSync(file(), "apps:\n  desk: {source: .}\n");
    await adding;
    expect(parseApps(readFileSync(file(), "utf8")).map(({ name }) => name)).toEqual(["desk", "store"]);
  });

  test("takes a name, a domain, a ref, a folder and a start, and what it writes has no problem", async () => {
    const mono = source("mono");
    mono.git("tag", "v1");
    await add([
      mono.address,
      "--name",
      "api",
      "--domain",
      "api.test",
      "--ref",
      "v1",
      "--path",
      "packages/api",
      "--start",
      "node lib/server.js",
    ]);
    const spa = source("spa");
    vi.stubEnv("INIT_CWD", join(spa.folder, ".."));
    await add(["spa"]);
    mkdirSync(join(project.root, "examples"), { recursive: true });
    cpSync(source("worker").folder, join(project.root, "examples/jobs"), { recursive: true });
    vi.stubEnv("INIT_CWD", join(project.root, "examples"));
    await add(["./jobs"]);
    vi.unstubAllEnvs();
    const apps = parseApps(readFileSync(file(), "utf8"));
    expect(Object.fromEntries(apps.map(({ name, entry }) => [name, entry]))).toEqual({
      api: {
        source: mono.address,
        ref: "v1",
        path: "packages/api",
        start: "node lib/server.js",
        domains: ["api.test"],
      },
      spa: { source: spa.folder, static: "dist", domains: [`spa.${counterSite().domain}`] },
      jobs: {
        source: "examples/jobs",
        processes: { worker: "node worker.js" },
        domains: [`jobs.${counterSite().domain}`],
      },
    });
    const all = hosts();
    const names = [...new Set(all.flatMap((host) => host.groups))];
    const groups = Object.fromEntries(
      names.map((group) => [group, all.filter((host) => host.groups.includes(group)).map(({ name }) => name)]),
    );
    const map = Object.fromEntries(apps.map(({ name, entry }) => [name, entry]));
    const vars = Object.fromEntries(all.map((host) => [host.name, host.vars]));
    const others = sites().filter(({ domain }) => !apps.some((app) => app.domains.includes(domain)));
    expect(filter("apps", "app_problems", map, groups, vars, others, firewallServices())).toEqual([]);
  });

  test("leaves the comments and the other entries as they are", async () => {
    const before =
      "# mine\napps:\n  # the first one\n  desk:\n    source: ../desk # a folder\n    domains: [desk.test]\n  # behind it\nother: 1\n";
    writeFileSync(file(), before);
    await add([source().address, "--domain", "plain.test"]);
    const text = readFileSync(file(), "utf8");
    for (const line of before.split("\n")) expect(text).toContain(line);
    expect(text).toContain("  plain:\n    source: file://");
    expect(parseApps(text).map(({ name }) => name)).toEqual(["desk", "plain"]);
  });

  test("refuses a name and a domain that another one has, and leaves the file as it was", async () => {
    const text = "apps:\n  desk: {source: ../desk, domains: [desk.test]}\n";
    writeFileSync(file(), text);
    const plain = source().address;
    const [host] = hosts();
    const [service = ""] = Object.keys(firewallServices());
    for (const [args, words, hint] of [
      [["--name", "desk"], "has an app desk already", "--name"],
      [["--name", "Desk"], "Desk is no name of an app", "--name"],
      [["--name", host?.name ?? ""], `the name ${host?.name} is a host's or a group's`, "--name"],
      [["--name", service], `the name ${service} is a service's`, "--name"],
      [["--domain", "desk.test"], "desk.test is answered by the app desk already", "--domain"],
      [["--domain", counterSite().domain], "is answered by a site of sites.yml already", "--domain"],
      [["--domain", "A.test"], "A.test is no host name", "--domain"],
    ] as const)
      await expect(add([plain, ...args])).rejects.toThrow(problem(words, hint));
    expect(readFileSync(file(), "utf8")).toBe(text);
  });

  test("refuses a source with a login, one that does not exist, and none", async () => {
    await expect(add(["https://me:word@git.test/shop.git"])).rejects.toThrow(problem("has a login in it", "SSH key"));
    await expect(add(["lost"])).rejects.toThrow(problem("the folder lost does not exist", "git address"));
    await expect(add([])).rejects.toThrow(problem("a source is needed", "npm run add -- --help"));
    await expect(add(["shop", "shop.test"])).rejects.toThrow(problem("one source is added at a time", "no --"));
    await expect(add(["package.json"])).rejects.toThrow(problem("package.json is a file", "a folder that exists"));
    expect(existsSync(file())).toBe(false);
  });

  test("writes nothing that Ansible would evaluate, and prints nothing that a terminal obeys", async () => {
    const evil = "web: node server.js\nrelease: node {{ lookup('pipe', 'touch /tmp/x') }}\n";
    await expect(add([source("plain", { Procfile: evil }).address])).rejects.toThrow(
      problem("which Ansible evaluates", "take the braces out"),
    );
    expect(existsSync(file())).toBe(false);
    const manifest = { name: "\u001b]0;title\u0007\u001b[31mred", scripts: { start: "node server.js" } };
    await add([source("plain", { "package.json": JSON.stringify(manifest) }).address]);
    expect(printed).toContain("package.json: red");
    expect(printed.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
  });
});

test.each([
  ["https://git.test/you/Shop_Front.git", "shop-front"],
  ["git@git.test:you/shop.git/", "shop"],
  ["git@git.test:shop", "shop"],
  ["../2048-game", "game"],
  ["a-very-long-name-of-an-application", "a-very-long-name-of-a"],
  [".", "app"],
])("the name for %s is %s", (from, name) => {
  expect(nameFor(from)).toBe(name);
});

test("an app is taken out of the file; comments and the others stay", () => {
  const text =
    "# The apps.\napps:\n  # First.\n  desk: {source: ., port: 4000}\n  film:\n    source: ../film\n    migrate: {sql: db}\n";
  expect(withoutEntry(text, "film")).toBe("# The apps.\napps:\n  # First.\n  desk: {source: ., port: 4000}\n");
  expect(parseApps(withoutEntry(withoutEntry(text, "film"), "desk"))).toEqual([]);
});

describe("npm run remove", () => {
  test("takes an app that is named twice out once", async () => {
    writeFileSync(file(), "apps:\n  desk: {source: .}\n  shop: {source: .} # mine\n");
    expect(await remove(["desk", "desk"])).toBe(0);
    expect(readFileSync(file(), "utf8")).toBe("apps:\n  shop: {source: .} # mine\n");
  });

  test("leaves the file as it is where another app needs an anchor of the removed one", async () => {
    const text = "apps:\n  desk: {source: ., env: &env {TZ: UTC}}\n  shop: {source: ., env: *env}\n";
    writeFileSync(file(), text);
    await expect(remove(["desk"])).rejects.toEqual(problem("nothing was changed", "by hand"));
    expect(readFileSync(file(), "utf8")).toBe(text);
  });

  test("purges no folder of Halo's own, such as the one of Redis' append-only file", async () => {
    await expect(remove(["appendonlydir", "--purge", "--yes"])).rejects.toEqual(
      problem("there is no app appendonlydir", "npm run add"),
    );
  });
});

test("the committed file is as it was after an app and a secret have come and gone", () => {
  const committed = readFileSync(join(import.meta.dirname, "../..", appsFile), "utf8");
  const added = withEntry(committed, "shop", { source: "../shop", ref: "2026-01-01", domains: ["shop.test"] });
  expect(added).toContain('\n  shop:\n    source: ../shop\n    ref: "2026-01-01"\n    domains: [shop.test]\n\n');
  const set = withSecret(added, "shop", "TOKEN", true);
  expect(parseApps(set).at(-1)?.entry.secrets).toEqual(["TOKEN"]);
  expect(withoutEntry(withSecret(set, "shop", "TOKEN", false), "shop")).toBe(committed);
  const names = parseApps(committed).map(({ name }) => name);
  const emptied = names.reduce(withoutEntry, committed);
  expect(parseApps(emptied)).toEqual([]);
  expect(withoutEntry(withEntry(emptied, "shop", { source: "../shop" }), "shop")).toBe(emptied);
});

test("a secret's name goes into its app's list and out of it; comments and the others stay", () => {
  const text = "apps:\n  # First.\n  desk: {source: ., port: 4000}\n  film:\n    source: ../film # here\n";
  const set = withSecret(text, "film", "TOKEN", true);
  expect(set).toBe(`${text}    secrets: [TOKEN]\n`);
  expect(withSecret(set, "film", "TOKEN", true)).toBe(set);
  expect(parseApps(withSecret(set, "film", "KEY", true))[1]?.entry.secrets).toEqual(["TOKEN", "KEY"]);
  expect(withSecret(set, "film", "TOKEN", false)).toBe(text);
});

test("the reserved names are the ones that the playbooks refuse", () => {
  for (const name of reservedNames)
    expect(filter("apps", "app_problems", { [name]: { source: "x" } }, {}, {}, [], {})).toEqual([
      `apps.yml: ${name}: the name ${name} is Halo's own; choose another one`,
    ]);
});

test("a port is written where the one of the name is another app's", () => {
  const port = defaultPort("shop");
  expect(portFor("shop", parseApps("apps: {desk: {source: x}}"))).toBeUndefined();
  expect(portFor("shop", parseApps(`apps: {desk: {source: x, port: ${port + 3}}}`))).toBe(port + 20);
});

test.each([
  ["nothing", ""],
  ["comments", "# only\n# these\n"],
  ["an empty map", "apps: {}\n"],
  ["no value", "# mine\napps:\n"],
])("a file with %s takes an app", (_, text) => {
  const written = withEntry(text, "shop", { source: "../shop", domains: ["shop.test"] });
  expect(written).toMatch(/apps:\n {2}shop:\n {4}source: \.\.\/shop\n {4}domains: \[shop\.test\]\n$/);
  for (const line of text.split("\n").filter((each) => each.startsWith("#"))) expect(written).toContain(line);
});

test("a file that is no map of apps is refused with its name", () => {
  const entry = { source: "x" };
  for (const [text, words] of [
    ["apps: [shop]", "apps has to be a map"],
    ["apps: {", "cannot be read"],
    ["apps: {desk: {}}", "desk: source: is missing"],
  ] as const)
    expect(() => withEntry(text, "shop", entry)).toThrow(`${appsFile}: ${words}`);
});
