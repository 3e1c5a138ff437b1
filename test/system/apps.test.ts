import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { appsFile, findApp } from "../../ops/cluster/apps.ts";
import { counterSite } from "../../ops/cluster/sites.ts";
import { redis } from "../../ops/cluster/topology.ts";
import type { Finding } from "../../ops/diagnose/findings.ts";
import { root } from "../../ops/lib/paths.ts";
import { Repository } from "../../ops/test/support/repository.ts";
import { startTraffic } from "../integration/support/traffic.ts";
import { backends, explainByJournals, must, on, sh, until } from "../lib/hosts.ts";
import { balancerAddress, port, request, visit } from "../lib/http.ts";
import { atNight, wholeNight } from "../lib/night.ts";
import { makeRoom } from "../lib/room.ts";

// Apps that know nothing of Halo, from git repositories of the test's own.
const folder = mkdtempSync(join(tmpdir(), "halo-apps-"));
const names = wholeNight ? ["plain", "notes", "chat", "pages"] : ["plain", "notes"];
const running = names.filter((name) => name !== "pages");
const repositories = new Map(names.map((name) => [name, Repository.of(name, join(folder, name))]));
const repository = (name: string): Repository => repositories.get(name) as Repository;
const domainOf = (name: string) => `${name}.${counterSite().domain}`;
const file = join(root, appsFile);
const committed = readFileSync(file, "utf8");
const [first = ""] = backends;

// Four apps more do not fit into the committed memory of a backend.
const { env, takeBack } = await makeRoom(folder, 2048);

const ask = (name: string, path = "/", options: http.RequestOptions = {}, body?: string) =>
  request(
    path,
    { ...options, port, headers: { Host: domainOf(name), "Content-Type": "application/json", ...options.headers } },
    body,
  );
const deploy = (name: string) => sh(["npm", "run", "-s", "deploy", "--", name], env);

beforeEach(explainByJournals);

beforeAll(async () => {
  const since = performance.now();
  for (const name of names) console.log(await must(["npm", "run", "-s", "add", "--", repository(name).address], env));
  // It runs beside all tests; the one about it reads the journals.
  const withJob = '$&    cron: {tick: {at: minutely, run: "echo tick $$PGDATABASE"}}\n';
  writeFileSync(file, readFileSync(file, "utf8").replace(/^ {2}notes:\n/m, withJob));
  await must(["ops/run", "up"], env);
  console.log(`add and up with ${names.length} apps: ${((performance.now() - since) / 1000).toFixed(0)} s`);
}, 900_000);

afterAll(async () => {
  const removed = await sh(["npm", "run", "-s", "remove", "--", ...names, "--purge", "--yes"], env);
  await takeBack();
  rmSync(folder, { recursive: true });
  expect(removed.code, removed.output).toBe(0);
  expect(readFileSync(file, "utf8")).toBe(committed);
  expect(
    await on("balancer", "ls /var/lib/redis /var/backups/halo; cd / && runuser -u postgres -- psql -ltA"),
  ).not.toContain("notes");
}, 900_000);

test("an app answers under its domain, by every backend, and its answers name the release", async () => {
  const answers = await Promise.all(Array.from({ length: 8 }, () => ask("plain")));
  expect(answers.map(({ status, body }) => `${status} ${body}`)).toEqual(answers.map(() => "200 hello\n"));
  expect(new Set(answers.map(({ headers }) => headers["x-served-by"]))).toEqual(new Set(backends));
  const commit = repository("plain").git("rev-parse", "HEAD").slice(0, 7);
  for (const { headers } of answers) expect(headers["x-release"]).toMatch(new RegExp(`^\\d{8}T\\d{6}Z-${commit}$`));
});

test("a store is the app's own, every backend knows the session, and the worker works", async () => {
  const made = await ask("notes", "/", { method: "POST" }, '{"text":"tea and bread"}');
  expect([made.status, made.body]).toEqual([201, '{"id":"1"}']);
  const cookie = made.headers["set-cookie"]?.[0]?.split(";")[0] ?? "";
  const list = () => ask("notes", "/", { headers: { Cookie: cookie } });
  await until("the worker has counted", 20_000, async () => JSON.parse((await list()).body)[0]?.words === 3);
  const lists = [await list(), await list(), await list(), await list()];
  expect(new Set(lists.map(({ headers }) => headers["x-served-by"]))).toEqual(new Set(backends));
  for (const { body } of lists) expect(JSON.parse(body)).toEqual([{ id: "1", text: "tea and bread", words: 3 }]);
  expect(JSON.parse((await ask("notes")).body)).toEqual([]);
});

atNight("a WebSocket is opened, and a client has the same backend each time", async () => {
  const open = () =>
    new Promise<string>((resolve, reject) => {
      const headers = {
        Host: domainOf("chat"),
        Connection: "Upgrade",
        Upgrade: "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
      };
      const outgoing = http.request({ host: balancerAddress, port, headers, agent: false });
      outgoing.on("upgrade", ({ statusCode }, socket) => {
        socket.destroy();
        resolve(`upgraded ${statusCode}`);
      });
      outgoing.on("response", ({ statusCode }) => resolve(`not upgraded ${statusCode}`));
      outgoing.on("error", reject);
      outgoing.end();
    });
  expect(await open()).toBe("upgraded 101");
  const answers = await Promise.all(Array.from({ length: 6 }, () => ask("chat")));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  expect(new Set(answers.map(({ headers }) => headers["x-served-by"])).size).toBe(1);
});

atNight("a static app: its page, a deep link, a file with a hash, and one that is not there", async () => {
  const page = await ask("pages");
  expect([page.status, page.headers["cache-control"]]).toEqual([200, "no-cache"]);
  const [, script = ""] = page.body.match(/src="([^"]+)"/) ?? [];
  const file = await ask("pages", script);
  expect([file.status, file.headers["cache-control"]]).toEqual([200, "public, max-age=31536000, immutable"]);
  expect((await ask("pages", "/deep/link")).body).toBe(page.body);
  expect((await ask("pages", "/absent.js")).status).toBe(404);
});

test("up again changes nothing, and verify knows the apps", async () => {
  const { output } = await sh(["ops/run", "up"], env);
  expect(output).not.toMatch(/changed=[1-9]/);
  const verified = await must(["npm", "run", "-s", "verify"], env);
  for (const name of running)
    expect(verified).toMatch(new RegExp(`ok .* ${name}: release .* is ready`));
});

const stopped: [string, string, string, object][] = [
  ["whose Redis is stopped", redis, "redis-server@notes", { cause: "redis-down", app: "notes", hosts: [redis] }],
  ["that is stopped on a backend", first, "halo@plain", { cause: "backend-down", app: "plain", hosts: [first] }],
];
test.each(wholeNight ? stopped : stopped.slice(0, 1))("diagnose names the app %s, and no other", async (_, host, unit, finding) => {
  const findings = async () => {
    const { output } = await sh(["ops/run", "diagnose", "--json", "--window", "20s"], env);
    return (JSON.parse(output).findings as Finding[]).map(({ cause, app, hosts }) => ({ cause, app, hosts }));
  };
  const none = () => until("nothing is named", 90_000, async () => (await findings()).length === 0);
  await none();
  await on(host, `systemctl stop ${unit}`);
  try {
    expect(await findings()).toEqual([finding]);
  } finally {
    await on(host, `systemctl start ${unit}`);
  }
  await none();
});

describe("under load", () => {
  /** Runs the work while 100 requests a second, a tenth of them POST, go to plain; each has to be answered. Resolves to the releases. */
  async function underLoad(work: () => Promise<void>): Promise<Set<string>> {
    const { stop } = startTraffic([port], { host: balancerAddress, domain: domainOf("plain") });
    let error: unknown;
    await work().catch((caught) => {
      error = caught;
    });
    const { answers, cutOff, unserved } = await stop();
    if (error) throw error;
    console.log(`plain: ${answers.length} requests`);
    expect({ cutOff, unserved }).toEqual({ cutOff: [], unserved: 0 });
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
    return new Set(answers.map(({ release }) => `${release}`));
  }

  test("a deploy: no request fails, and both releases answer", async () => {
    repository("plain").put({ "note.txt": "next\n" });
    const commit = repository("plain").commit().slice(0, 7);
    const releases = await underLoad(async () => {
      const { code, output } = await deploy("plain");
      expect(code, output).toBe(0);
    });
    expect(releases.size).toBe(2);
    expect((await ask("plain")).headers["x-release"]).toMatch(new RegExp(`-${commit}$`));
  });

  test("PM2 of another app is killed: no request fails", async () => {
    await underLoad(async () => {
      await on(first, "systemctl kill --signal=KILL halo@notes");
      await until(
        "the app is ready there again",
        60_000,
        async () => (await sh(["ops/run", "ssh", first, "sudo", "halo-release", "notes", "check"], env)).code === 0,
      );
    });
    expect((await visit()).visit.database_status).toBe("Terhubung");
  });
});

test("a release that listens on a port of its own is refused with the cause, and the one before stays", async () => {
  const before = (await ask("plain")).headers["x-release"];
  const text = readFileSync(join(repository("plain").folder, "server.js"), "utf8");
  repository("plain").put({ "server.js": text.replace("process.env.PORT || 3000", "3999") });
  repository("plain").commit();
  const { code, output } = await deploy("plain");
  expect([code, output]).toEqual([
    2,
    expect.stringMatching(/it listens on 3999, not on PORT \d+\. Fix: let the app listen on process\.env\.PORT/),
  ]);
  expect((await ask("plain")).headers["x-release"]).toBe(before);
});

test("a cron job has run once at each due time, with the app's settings", async () => {
  const lines = "journalctl --quiet --output=short-unix --unit=halo-cron@notes.tick.service --grep='^tick ' || true";
  const runs = (await Promise.all(backends.map((host) => on(host, lines)))).join("\n").match(/^.+$/gm) ?? [];
  for (const run of runs) expect(run).toMatch(/: tick halo_notes$/);
  const minutes = runs.map((run) => Math.floor(Number.parseFloat(run) / 60)).toSorted((a, b) => a - b);
  expect(minutes.length).toBeGreaterThan(1);
  expect(minutes).toEqual(minutes.map((_, i) => Number(minutes[0]) + i));
});

test("nothing of an app can be read by another one", async () => {
  const { settings, state } = findApp("notes");
  for (const path of [settings, `${state}/pm2/module_conf.json`, "/etc/halo/redis-cron.json"])
    expect(await sh(["ops/run", "ssh", first, "sudo", "-u", "halo-plain", "cat", path], env)).toEqual({
      code: 1,
      output: expect.stringContaining("Permission denied"),
    });
});

test("npm run backup copies the store's backup, which names its app, and restore takes it back", async () => {
  const made = await must(["npm", "run", "-s", "backup", "--", "notes"], env);
  const [, copy = ""] = made.match(/^(\.halo\/backups\/notes-\S+\.tar): \d+ keys, 1 rows, \d+ bytes$/m) ?? [];
  expect(copy, made).not.toBe("");
  await on("balancer", "cd / && runuser -u postgres -- psql --dbname=halo_notes --command='DELETE FROM notes'");
  expect(await on("balancer", "halo-backup restore /var/backups/halo/notes/*.tar 2>&1 || true")).toContain(
    "a backup of notes, not of the shared stores. Fix: halo-backup --app notes restore FILE",
  );
  expect(await must(["npm", "run", "-s", "restore", "--", copy, "--yes"], env)).toMatch(/restored: 1 rows/);
  await until("the app reads it again", 20_000, async () => (await ask("notes")).status === 200);
  rmSync(join(root, copy));
});

atNight("a secret that is set reaches the app with the next up, without a failed request", async () => {
  const { code, output } = await sh(["sh", "-c", "echo 's3 cret' | npm run -s env -- plain set TOKEN"], env);
  expect(code, output).toBe(0);
  await must(["ops/run", "up"], env);
  expect(await must(["npm", "run", "-s", "task", "--", "plain", "echo", "$TOKEN"], env)).toContain("s3 cret");
  expect(await must(["npm", "run", "-s", "env", "--", "plain"], env)).toContain("TOKEN=(hidden");
  await must(["npm", "run", "-s", "env", "--", "plain", "unset", "TOKEN"], env);
  expect(readFileSync(file, "utf8")).not.toContain("TOKEN");
});

test("npm run apps has the release, the ready backends and the memory of each", async () => {
  const table = await must(["npm", "run", "-s", "apps"], env);
  for (const name of running)
    expect(table).toMatch(
      new RegExp(`^${name} +\\d{8}T\\d{6}Z-\\w+ +2 of 2 +\\d+ of 256 MiB +http://${domainOf(name)}`, "m"),
    );
  if (wholeNight) expect(table).toMatch(/^pages +\d{8}T\d{6}Z-\w+ +- +- +http/m);
  console.log(table);
});
