import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { withEntry } from "../../ops/apps/entry.ts";
import { appsFile, type Entry, findApp, writeAppsText } from "../../ops/cluster/apps.ts";
import { counterSite } from "../../ops/cluster/sites.ts";
import { root } from "../../ops/lib/paths.ts";
import { Repository } from "../../ops/test/support/repository.ts";
import { startTraffic } from "../integration/support/traffic.ts";
import { backends, explainByJournals, must, on, sh, until, vagrant } from "../lib/hosts.ts";
import { balancerAddress, port, request, visit } from "../lib/http.ts";
import { makeRoom } from "../lib/room.ts";
import { memoryKills, watched } from "../lib/watch.ts";

// Six apps beside the counter and the workshop, each with needs of its own, from git repositories of the test's.
const folder = mkdtempSync(join(tmpdir(), "halo-apps-"));
const [first = "", second = ""] = backends;
const keys: Record<string, Omit<Entry, "source">> = {
  store: {
    postgres: { pool: 4 } as object,
    redis: true,
    migrate: "node src/migrate.js",
    secrets: ["SESSION_SECRET"],
    health: "/healthz",
    node: "22.21.1",
  },
  worker: { mode: "fork", processes: { worker: "node worker.js" } },
  chat: { websocket: true, sticky: true, redis: true },
  spa: { static: { folder: "dist", immutable: ["assets"] } },
  mono: {
    path: "packages/api",
    env: { API_PORT: `\${${"PORT"}}`, API_ADDRESS: `\${${"HOST"}}` },
    secrets: ["API_TOKEN"],
    cpu: 0.5,
  },
  single: { hosts: first, writable: ["data"], memory: 128 },
};
const names = Object.keys(keys);
const running = names.filter((name) => keys[name]?.static === undefined);
const repositories = new Map(names.map((name) => [name, Repository.of(name, join(folder, name))]));
const repository = (name: string): Repository => repositories.get(name) as Repository;
const domainOf = (name: string) => (name === "counter" ? counterSite().domain : `${name}.${counterSite().domain}`);
const committed = readFileSync(join(root, appsFile), "utf8");
const { env, takeBack } = await makeRoom(folder, 2560);
// Where a deploy takes most of a minute, several of them take more than a test has.
const long = { timeout: 900_000 };

const ask = (name: string, path = "/", method = "GET", body?: string) =>
  request(path, { method, port, headers: { Host: domainOf(name), "Content-Type": "application/json" } }, body);
const deploy = (name: string) => sh(["npm", "run", "-s", "deploy", "--", name], env);
const isReady = async (host: string, name: string) =>
  (await sh(["ops/run", "ssh", host, "sudo", "halo-release", name, "check"], env)).code === 0;

beforeEach(explainByJournals);

beforeAll(async () => {
  const text = names.reduce(
    (all, name) =>
      withEntry(all, name, { source: repository(name).address, domains: [domainOf(name)], ...keys[name] } as Entry),
    committed,
  );
  writeAppsText(text);
  const since = performance.now();
  await must(["ops/run", "up"], env);
  console.log(`up with ${names.length} new apps: ${((performance.now() - since) / 1000).toFixed(0)} s`);
});

afterAll(async () => {
  const removed = await sh(["npm", "run", "-s", "remove", "--", ...names, "--purge", "--yes"], env);
  writeAppsText(committed);
  await takeBack();
  rmSync(folder, { recursive: true });
  expect(removed.code, removed.output).toBe(0);
});

const watchedApps = (apps: string[], work: () => Promise<unknown>) => watched(apps, ask, work);
const others = (name: string) => ["counter", ...names].filter((each) => each !== name);

test("each app answers, up again changes nothing, and each has its memory", long, async () => {
  for (const name of names) expect([name, (await ask(name)).status]).toEqual([name, 200]);
  expect((await ask("mono")).body).toBe("Hello from mono\n");
  expect((await visit()).visit.database_status).toBe("Terhubung");
  expect(await must(["ops/run", "up"], env)).not.toMatch(/changed=[1-9]/);
  console.log(await must(["npm", "run", "-s", "apps"], env));
});

test("an app that names a version of Node runs on it, and the others on Halo's own", async () => {
  const version = (name: string) => must(["npm", "run", "-s", "task", "--", name, "node", "--version"], env);
  expect(await version("store")).toContain("v22.21.1");
  expect(await version("mono")).not.toContain("v22.");
  const { workers, user } = findApp("store");
  const [pid = ""] = (await on(first, `pgrep ${workers}`)).split("\n");
  // Root of a container may not read it.
  expect(await on(first, `runuser -u ${user} -- readlink /proc/${pid}/exe`)).toContain("/node-22.21.1-");
});

test("an app has its part of the CPUs", async () => {
  expect(await on(first, "systemctl show --property=CPUQuotaPerSecUSec --value halo@mono")).toBe("500ms");
});

test("a secret is in no journal, no argument and no list of PM2's", long, async () => {
  expect(await must(["npm", "run", "-s", "task", "--", "mono", "echo", "$API_TOKEN"], env)).toMatch(/^[\w-]{20,}$/m);
  // The value itself would reach the journal as an argument of sudo's.
  const lines = [
    "set -e",
    `value=$(sed -n "s/^API_TOKEN=//p" ${findApp("mono").settings} | tr -d "'\\"")`,
    'expr length "$value" ">" 19 > /run/halo-test-lists',
    "for app in $(ls /opt/halo/apps); do pm2 $app jlist; done >> /run/halo-test-lists 2>&1",
    "journalctl --quiet >> /run/halo-test-lists 2>&1",
    "ps -A -ww -o args >> /run/halo-test-lists",
    'printf %s "$value" > /run/halo-test-value',
    "grep -cFf /run/halo-test-value /run/halo-test-lists || true",
    "rm /run/halo-test-value /run/halo-test-lists",
  ];
  for (const host of backends) expect([host, await on(host, lines.join("; "))]).toEqual([host, "0"]);
});

test("a store is its app's alone: neither the database halo nor the shared Redis lets its role in", async () => {
  const output = await must(["npm", "run", "-s", "task", "--", "store", "node src/reach.js"], env);
  expect(output.match(/^(database halo|shared Redis): .+$/gm)).toEqual([
    "database halo: 28000",
    "shared Redis: refused",
  ]);
  const owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'";
  expect(await on("balancer", `cd / && runuser -u postgres -- psql -tAd halo_store -c "${owners}"`)).toBe("halo_store");
});

test("an app opens as many connections to PostgreSQL as its limit, and the others keep theirs", async () => {
  const bad = await watchedApps(others("store"), async () => {
    const output = await must(["npm", "run", "-s", "task", "--", "store", "node src/connect.js"], env);
    expect(output).toMatch(/^\d+ connections, then 53300$/m);
  });
  expect(bad).toEqual([]);
  expect((await ask("store")).status).toBe(200);
});

describe.each([
  ["worker", "/"],
  ["store", "/items"],
])("%s under load", (name, post) => {
  test("three deploys: no request fails, and every answer is of a live release", long, async () => {
    const { stop } = startTraffic([port], { host: balancerAddress, domain: domainOf(name), post });
    const commits = [repository(name).git("rev-parse", "HEAD").slice(0, 7)];
    const results = [];
    for (const turn of [1, 2, 3]) {
      repository(name).put({ "note.txt": `${turn}\n` });
      commits.push(repository(name).commit().slice(0, 7));
      results.push(await deploy(name));
    }
    const { answers, cutOff, unserved } = await stop();
    for (const { code, output } of results) expect(code, output).toBe(0);
    console.log(`${name}: ${answers.length} requests in three deploys`);
    expect({ cutOff, unserved }).toEqual({ cutOff: [], unserved: 0 });
    expect(answers.filter(({ status }) => status >= 300)).toEqual([]);
    expect(new Set(answers.map(({ release }) => `${release}`.split("-")[1]))).toEqual(new Set(commits));
  });
});

test("processes of a process end with it: three deploys have left one of each on each backend", async () => {
  for (const host of backends)
    for (const script of ["worker.js", "child.js"])
      expect([host, script, await on(host, `pgrep -c -u halo-worker -f '[ /]${script}' || true`)]).toEqual([
        host,
        script,
        "1",
      ]);
  await on(second, "systemctl stop halo@worker");
  expect(await on(second, "pgrep -c -u halo-worker . || true")).toBe("0");
  await on(second, "systemctl start halo@worker");
  await until("the app is ready again", 60_000, () => isReady(second, "worker"));
});

test("releases, rollback, logs and drain know the app", long, async () => {
  const before = (await ask("store")).headers["x-release"];
  expect(await must(["npm", "run", "-s", "releases", "--", "store"], env)).toContain(before);
  await must(["npm", "run", "-s", "rollback", "--", "store"], env);
  const now = (await ask("store")).headers["x-release"];
  expect(now).not.toBe(before);
  await must(["npm", "run", "-s", "deploy", "--", "store"], env);
  expect(await must(["npm", "run", "-s", "logs", "--", "store", "--since", "5m"], env)).toContain("store");
  await must(["npm", "run", "-s", "drain", "--", second, "store"], env);
  const served = async (name: string) =>
    new Set(await Promise.all([1, 2, 3, 4, 5, 6].map(async () => (await ask(name)).headers["x-served-by"])));
  try {
    expect(await served("store")).toEqual(new Set([first]));
    expect(await served("mono")).toEqual(new Set(backends));
  } finally {
    await must(["npm", "run", "-s", "undrain", "--", second, "store"], env);
  }
  expect(await served("store")).toEqual(new Set(backends));
});

test("a migration that fails switches nothing, and says why", async () => {
  const before = (await ask("store")).headers["x-release"];
  const text = readFileSync(join(repository("store").folder, "src/migrate.js"), "utf8");
  repository("store").put({ "src/migrate.js": 'throw new Error("no such column");\n' });
  repository("store").commit();
  const { code, output } = await deploy("store");
  expect([code, output]).toEqual([2, expect.stringContaining("no such column")]);
  expect((await ask("store")).headers["x-release"]).toBe(before);
  repository("store").put({ "src/migrate.js": text });
  repository("store").commit();
});

test("a page that was loaded before a deploy finds its files after it, and after a rollback", long, async () => {
  const script = async () => (await ask("spa")).body.match(/src="([^"]+)"/)?.[1] ?? "";
  const old = await script();
  repository("spa").put({ "src/main.js": "document.body.textContent = 'second';\n" });
  repository("spa").commit();
  const { code, output } = await deploy("spa");
  expect(code, output).toBe(0);
  const next = await script();
  expect(next).not.toBe(old);
  expect((await ask("spa", `/${old}`.replace("//", "/"))).status).toBe(200);
  const rolledBack = await sh(["npm", "run", "-s", "rollback", "--", "spa"], env);
  expect(rolledBack.code, rolledBack.output).toBe(0);
  expect(await script()).toBe(old);
  expect((await ask("spa", `/${next}`.replace("//", "/"))).status).toBe(200);
});

test(
  "a writable folder outlives releases and a restart of its host; without it the app has a clean error, and the others answer",
  long,
  async () => {
    expect((await ask("single", "/", "POST", "first\n")).body).toBe("kept\n");
    // More than the five that are kept.
    for (let turn = 1; turn <= 6; turn++) {
      repository("single").put({ "note.txt": `${turn}\n` });
      repository("single").commit();
      const { code, output } = await deploy("single");
      expect(code, output).toBe(0);
    }
    expect((await ask("single")).body).toBe("first\n");
    const bad = await watchedApps(
      others("single").filter((name) => name !== "chat"), // whose client has its backend
      async () => {
        await vagrant("halt", first);
        try {
          const away = await ask("single");
          expect(away.status).toBeGreaterThanOrEqual(502);
          expect(away.status).toBeLessThanOrEqual(504);
        } finally {
          await vagrant("up", first);
        }
        await until("single answers", 120_000, async () => (await ask("single")).status === 200);
        // The next tests are about apps that run there.
        await Promise.all(running.map((name) => until(`${name} is ready again`, 120_000, () => isReady(first, name))));
      },
    );
    expect(bad).toEqual([]);
    expect((await ask("single")).body).toBe("first\n");
  },
);

test("PM2 of an app is killed: no request to another app fails", async () => {
  const bad = await watchedApps(others("worker"), async () => {
    await on(first, "systemctl kill --signal=KILL halo@worker");
    await until("the app is ready again", 120_000, () => isReady(first, "worker"));
  });
  expect(bad).toEqual([]);
});

// A container on a machine with cgroup v1 has no memory limit, and may not have the file; test/vm has this too.
const limited = (await on(first, "cat /sys/fs/cgroup/cgroup.controllers || true")).split(" ").includes("memory");
test.runIf(limited)(
  "a leak ends its app at its limit, which starts again: no request to another app fails",
  async () => {
    const bad = await watchedApps(others("single"), async () => {
      const before = await memoryKills(first, "single");
      await ask("single", "/leak");
      await until("the kernel has ended it", 120_000, async () => (await memoryKills(first, "single")) !== before);
      await until("the app is ready again", 120_000, () => isReady(first, "single"));
    });
    expect(bad).toEqual([]);
    expect((await ask("single")).body).toBe("first\n");
  },
);

test("an app that crashes in a loop costs no other app a request", long, async () => {
  const bad = await watchedApps(others("mono"), async () => {
    repository("mono").put({ "packages/api/crashes": "" });
    repository("mono").commit();
    const { code, output } = await deploy("mono");
    expect(code, output).toBe(0);
    // The reload counts as one.
    await until("it has ended itself twice", 120_000, async () =>
      /"restart_time":([3-9]|\d\d)/.test(await on(second, "pm2 mono jlist | tail -n 1")),
    );
  });
  expect(bad).toEqual([]);
});
