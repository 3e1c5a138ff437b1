import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { appsFile, findApp } from "../../ops/cluster/apps.ts";
import { playbook } from "../../ops/cluster/hosts.ts";
import { counterSite } from "../../ops/cluster/sites.ts";
import { redis } from "../../ops/cluster/topology.ts";
import type { Finding } from "../../ops/diagnose/findings.ts";
import { localPath, root } from "../../ops/lib/paths.ts";
import { Repository } from "../../ops/test/support/repository.ts";
import { startTraffic } from "../integration/support/traffic.ts";
import { backends, explainByJournals, must, on, type Result, sh, until } from "../lib/hosts.ts";
import { type Answer, balancerAddress, openSocket, port, request, visit } from "../lib/http.ts";
import { atNight, wholeNight } from "../lib/night.ts";
import { makeRoom } from "../lib/room.ts";

// Apps that know nothing of Halo, from git repositories of the test's own.
const folder = mkdtempSync(join(tmpdir(), "halo-apps-"));
const names = wholeNight ? ["plain", "notes", "chat", "pages"] : ["notes"];
const running = names.filter((name) => name !== "pages");
const repositories = new Map(names.map((name) => [name, Repository.of(name, join(folder, name))]));
const repository = (name: string): Repository => repositories.get(name) as Repository;
const domainOf = (name: string) => `${name}.${counterSite().domain}`;
const file = join(root, appsFile);
const committed = readFileSync(file, "utf8");
const begun = Math.floor(Date.now() / 1000);
const [first = ""] = backends;

// Four apps more do not fit into the committed memory of a backend.
const { env, takeBack } = await makeRoom(folder, 2048);

const ask = (name: string, path = "/", options: http.RequestOptions & { secure?: boolean } = {}, body?: string) =>
  request(
    path,
    { ...options, port, headers: { Host: domainOf(name), "Content-Type": "application/json", ...options.headers } },
    body,
  );
let early: Result;
let printed: string;
const deploy = (name: string) => sh(["npm", "run", "-s", "deploy", "--", name], env);

/** Runs the work while 100 requests a second, a tenth of them POST, go to plain; each has to be answered. Resolves to the releases. */
async function underLoad(work: () => Promise<unknown>): Promise<Set<string>> {
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

beforeEach(explainByJournals);

beforeAll(async () => {
  const since = performance.now();
  for (const name of names) console.log(await must(["npm", "run", "-s", "add", "--", repository(name).address], env));
  if (wholeNight) early = await deploy("plain");
  // It runs beside all tests; the one about it reads the journals.
  const withJob = '$&    cron: {tick: {at: minutely, run: "echo tick $$PGDATABASE"}}\n';
  const text = readFileSync(file, "utf8").replace(/^ {2}notes:\n/m, withJob);
  // Nothing in the source of chat says that a client needs one backend.
  writeFileSync(file, text.replace(/^ {2}chat:\n/m, "$&    sticky: true\n"));
  printed = await must(["ops/run", "up"], env);
  console.log(`add and up with ${names.length} apps: ${((performance.now() - since) / 1000).toFixed(0)} s`);
}, 900_000);

afterAll(async () => {
  const all = wholeNight ? [...names, "late"] : names;
  const removed = await sh(["npm", "run", "-s", "remove", "--", ...all, "--purge", "--yes"], env);
  const left = readFileSync(file, "utf8");
  writeFileSync(file, committed);
  await takeBack();
  rmSync(folder, { recursive: true });
  expect(removed.code, removed.output).toBe(0);
  expect(left).toBe(committed);
  expect(
    await on("balancer", "ls /var/lib/redis /var/backups/halo; cd / && runuser -u postgres -- psql -ltA"),
  ).not.toContain("notes");
}, 900_000);

atNight("a deploy before the app is on a host says that up comes first", () => {
  expect(early).toEqual({ code: 2, output: expect.stringMatching(/is on no host yet\. Fix: npm run up/) });
});

test("an app answers under its domain, by every backend, and its answers name the release", async () => {
  const answers = await Promise.all(Array.from({ length: 8 }, () => ask("notes")));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  expect(new Set(answers.map(({ headers }) => headers["x-served-by"]))).toEqual(new Set(backends));
  const commit = repository("notes").git("rev-parse", "HEAD").slice(0, 7);
  for (const { headers } of answers) expect(headers["x-release"]).toMatch(new RegExp(`^\\d{8}T\\d{6}Z-${commit}$`));
});

/** The session that an answer of notes has begun. */
const sessionOf = ({ headers }: Answer) => headers["set-cookie"]?.[0]?.split(";")[0] ?? "";
/** The notes of a session. */
const notesOf = (cookie: string) => ask("notes", "/", { headers: { Cookie: cookie } });

test("a store is the app's own, every backend knows the session, and the workers do a job once", async () => {
  const made = await ask("notes", "/", { method: "POST" }, '{"text":"tea and bread"}');
  expect([made.status, made.body]).toEqual([201, '{"id":"1"}']);
  const cookie = sessionOf(made);
  const list = () => notesOf(cookie);
  await until("the worker has counted", 20_000, async () => JSON.parse((await list()).body)[0]?.words === 3);
  const lists = [await list(), await list(), await list(), await list()];
  expect(new Set(lists.map(({ headers }) => headers["x-served-by"]))).toEqual(new Set(backends));
  for (const { body } of lists) expect(JSON.parse(body)).toEqual([{ id: "1", text: "tea and bread", words: 3 }]);
  expect(JSON.parse((await ask("notes")).body)).toEqual([]);
  const jobs = `journalctl --quiet --output=cat --since=@${begun} --unit=halo@notes --grep='counted the words' || true`;
  const done = async () =>
    (await Promise.all(backends.map((host) => on(host, jobs)))).join("").match(/counted .*/g) ?? [];
  await until("the journals have the job", 20_000, async () => (await done()).length > 0);
  expect(await done()).toEqual(["counted the words of 1 notes"]);
});

test("an app learns how the visitor came: a cookie is a secure one by https alone, whatever the visitor claims", async () => {
  const attributes = async (options: { secure?: boolean; headers?: Record<string, string> }) => {
    const { status, headers } = await ask("notes", "/", options);
    return [status, /; Secure(;|$)/.test(headers["set-cookie"]?.[0] ?? "")];
  };
  expect(await attributes({ secure: true })).toEqual([200, true]);
  expect(await attributes({ secure: true, headers: { "X-Forwarded-Proto": "http" } })).toEqual([200, true]);
  expect(await attributes({})).toEqual([200, false]);
  expect(await attributes({ headers: { "X-Forwarded-Proto": "https" } })).toEqual([200, false]);
});

test("the line that up prints asks the site by https", async () => {
  const [, line = ""] = /^ *By https: +(.*)$/m.exec(printed) ?? [];
  expect(line).toContain(" --cacert .halo/secrets/ca/ca.crt ");
  expect(JSON.parse(await must(["sh", "-c", line], env))).toHaveProperty("total_visits");
});

atNight(
  "a WebSocket, also one by https, lives for a minute without a word, and a client has the same backend each time",
  async () => {
    const sockets = await Promise.all([false, true].map((secure) => openSocket(domainOf("chat"), "/", secure)));
    // The silence is what is tested: nginx ends a silent connection where the app has no key websocket.
    await new Promise((resolve) => setTimeout(resolve, 61_000));
    for (const [i, socket] of sockets.entries()) {
      socket.send(`after a minute ${i}`);
      await until("its own words come back", 10_000, async () => socket.words.includes(`after a minute ${i}`));
      socket.close();
    }
    const answers = await Promise.all(Array.from({ length: 6 }, () => ask("chat")));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(answers.map(({ headers }) => headers["x-served-by"])).size).toBe(1);
  },
);

atNight("a deploy ends a WebSocket, and the client that opens it again is served at once", async () => {
  const socket = await openSocket(domainOf("chat"));
  repository("chat").put({ "note.txt": "next\n" });
  repository("chat").commit();
  const deployed = deploy("chat");
  await socket.closed;
  const since = performance.now();
  const again = await openSocket(domainOf("chat"));
  again.send("back");
  await until("its own words come back", 20_000, async () => again.words.includes("back"));
  console.log(`chat: a new socket ${((performance.now() - since) / 1000).toFixed(1)} s after the end of the old one`);
  again.close();
  const { code, output } = await deployed;
  expect(code, output).toBe(0);
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

atNight("nothing of a static app is on the backends, and its packages of development are nowhere", async () => {
  for (const host of backends)
    expect(
      await on(
        host,
        "find /opt/halo/apps/pages /etc/halo/pages.env /etc/systemd/system/halo@pages.service.d 2>/dev/null || true",
      ),
    ).toBe("");
  expect(await on("balancer", "find /var/www/halo/pages -name node_modules -o -name package.json")).toBe("");
});

atNight("up again changes nothing, and verify knows the apps", async () => {
  expect(await must(["ops/run", "up"], env)).not.toMatch(/changed=[1-9]/);
  const verified = await must(["npm", "run", "-s", "verify"], env);
  for (const name of running) expect(verified).toMatch(new RegExp(`ok .* ${name}: release .* is ready`));
});

const stopped: [string, string, string, object][] = [
  ["whose Redis is stopped", redis, "redis-server@notes", { cause: "redis-down", app: "notes", hosts: [redis] }],
  ["that is stopped on a backend", first, "halo@plain", { cause: "backend-down", app: "plain", hosts: [first] }],
];
test.runIf(wholeNight).each(stopped)("diagnose names the app %s, and no other", async (_, host, unit, finding) => {
  const findings = async () => {
    const { output } = await sh(["ops/run", "diagnose", "--json", "--window", "20s"], env);
    return (JSON.parse(output).findings as Finding[]).map(({ cause, app, hosts }) => ({ cause, app, hosts }));
  };
  const none = () => until("nothing is named", 90_000, async () => (await findings()).length === 0);
  await none();
  await on(host, `systemctl stop ${unit}`);
  try {
    await until("it alone is named", 60_000, async () => {
      expect(await findings()).toEqual([finding]);
      return true;
    });
  } finally {
    await on(host, `systemctl start ${unit}`);
  }
  await none();
});

describe("under load", () => {
  atNight("a deploy: no request fails, and every answer is of a live release", async () => {
    const commits = [repository("plain").git("rev-parse", "HEAD").slice(0, 7)];
    const releases = await underLoad(async () => {
      for (const turn of [1, 2, 3]) {
        repository("plain").put({ "note.txt": `${turn}\n` });
        commits.push(repository("plain").commit().slice(0, 7));
        const { code, output } = await deploy("plain");
        expect(code, output).toBe(0);
      }
    });
    expect(new Set([...releases].map((release) => release.split("-")[1]))).toEqual(new Set(commits));
    expect((await ask("plain")).headers["x-release"]).toMatch(new RegExp(`-${commits.at(-1)}$`));
  });

  atNight("connections that were idle for 6 to 25 s: the next request is answered", async () => {
    const agent = new http.Agent({ keepAlive: true });
    for (const seconds of [6, 15, 25]) {
      // Both of its own, and the balancer's to each backend.
      const answers = await Promise.all([ask("plain", "/", { agent }), ask("plain", "/", { agent })]);
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
      for (let i = 0; i < 4; i++)
        answers.push(await ask("plain", "/", { agent, method: i % 2 ? "POST" : "GET" }, i % 2 ? "tea" : ""));
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    }
    agent.destroy();
  });

  atNight("PM2 of another app is killed: no request fails", async () => {
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

atNight("a release that listens on a port of its own is refused with the cause, and the one before stays", async () => {
  const before = (await ask("plain")).headers["x-release"];
  const text = readFileSync(join(repository("plain").folder, "server.js"), "utf8");
  repository("plain").put({ "server.js": text.replace("process.env.PORT || 3000", "3999") });
  repository("plain").commit();
  const { code, output } = await deploy("plain");
  expect([code, output]).toEqual([
    2,
    expect.stringMatching(/it listens on 3999, not on PORT \d+\. Fix: let the app listen on process\.env\.PORT/),
  ]);
  expect(await must(["npm", "run", "-s", "releases", "--", "plain"], env)).toMatch(
    /failed on backend1: it listens on 3999, not on PORT \d+; halo-release: release \S+ did not pass as a candidate; /,
  );
  expect((await ask("plain")).headers["x-release"]).toBe(before);
});

atNight("a cron job has run once at each due time, with the app's settings", async () => {
  // An earlier run of this file on the same hosts has left its lines.
  const lines = `journalctl --quiet --output=short-unix --since=@${begun} --unit=halo-cron@notes.tick.service --grep='^tick ' || true`;
  const runs = (await Promise.all(backends.map((host) => on(host, lines)))).join("\n").match(/^.+$/gm) ?? [];
  for (const run of runs) expect(run).toMatch(/: tick halo_notes$/);
  const minutes = runs.map((run) => Math.floor(Number.parseFloat(run) / 60)).toSorted((a, b) => a - b);
  expect(minutes.length).toBeGreaterThan(1);
  expect(minutes).toEqual(minutes.map((_, i) => Number(minutes[0]) + i));
});

atNight(
  "a wrong entry is refused with its name and key, by every command and by a playbook, before any host changes",
  async () => {
    const good = readFileSync(file, "utf8");
    const wrong = `  wrong:\n    source: test/apps/plain\n    domains: [${domainOf("wrong")}]\n    memroy: 300\n`;
    writeFileSync(file, `${good.trimEnd()}\n`.replace(/^apps:\n/m, `$&${wrong}`));
    try {
      for (const argv of [["ops/run", "up"], ["ops/run", "deploy", "--", "notes"], playbook("site.yml")]) {
        const { code, output } = await sh(argv, env);
        expect([argv, output]).toEqual([argv, expect.stringMatching(/wrong[\s\S]*memroy/)]);
        expect([argv, code]).not.toEqual([argv, 0]);
        expect(output).not.toMatch(/changed=[1-9]/);
      }
    } finally {
      writeFileSync(file, good);
    }
  },
);

test("nothing of an app can be read by another one", async () => {
  const { settings, state, root: folder } = findApp("notes");
  const code = `${folder}/current/package.json`;
  for (const path of [settings, `${state}/pm2/module_conf.json`, code, "/etc/halo/redis-cron.json"])
    expect(await sh(["ops/run", "ssh", first, "sudo", "-u", findApp("demo").user, "cat", path], env)).toEqual({
      code: 1,
      output: expect.stringContaining("Permission denied"),
    });
});

atNight("npm run backup copies the store's backup, which names its app, and restore takes it back", async () => {
  const early = sessionOf(await ask("notes", "/", { method: "POST" }, '{"text":"kept"}'));
  const made = await must(["npm", "run", "-s", "backup", "--", "notes"], env);
  const [, copy = "", rows] = made.match(/^(\.halo\/backups\/notes-\S+\.tar): \d+ keys, (\d+) rows, \d+ bytes$/m) ?? [];
  expect(copy, made).not.toBe("");
  await on("balancer", "cd / && runuser -u postgres -- psql --dbname=halo_notes --command='DELETE FROM notes'");
  expect(await on("balancer", "halo-backup restore /var/backups/halo/notes/*.tar 2>&1 || true")).toContain(
    "a backup of notes, not of the shared stores. Fix: halo-backup --app notes restore FILE",
  );
  const late = sessionOf(await ask("notes"));
  expect(await must(["npm", "run", "-s", "restore", "--", copy, "--yes"], env)).toContain(`restored: ${rows} rows`);
  await until("the app reads it again", 20_000, async () => (await ask("notes")).status === 200);
  const back = await notesOf(early);
  expect([sessionOf(back), JSON.parse(back.body)]).toEqual(["", [expect.objectContaining({ text: "kept" })]]);
  expect(sessionOf(await notesOf(late))).not.toBe("");
  rmSync(join(root, copy));
});

atNight("a store that is away does not cost another app its backup of the night", async () => {
  const backups = () => on("balancer", "ls /var/backups/halo/chat 2>/dev/null || true");
  const before = await backups();
  await on("balancer", "systemctl stop redis-server@notes");
  try {
    await expect(on("balancer", "systemctl start halo-backup")).rejects.toThrow();
    expect(await backups()).not.toBe(before);
    expect(await on("balancer", `journalctl --quiet --output=cat --since=@${begun} --unit=halo-backup`)).toContain(
      "Redis does not answer. Fix: see journalctl -u redis-server@notes",
    );
  } finally {
    await on("balancer", "systemctl start redis-server@notes; systemctl reset-failed halo-backup");
  }
});

atNight("a secret that is set reaches the app with the next up, without a failed request", async () => {
  const { code, output } = await sh(["sh", "-c", "echo 's3 cret' | npm run -s env -- plain set TOKEN"], env);
  expect(code, output).toBe(0);
  await underLoad(() => must(["ops/run", "up"], env));
  expect(await must(["npm", "run", "-s", "task", "--", "plain", "echo", "$TOKEN"], env)).toContain("s3 cret");
  expect(await must(["npm", "run", "-s", "env", "--", "plain"], env)).toContain("TOKEN=(hidden");
  await must(["npm", "run", "-s", "env", "--", "plain", "unset", "TOKEN"], env);
  expect(readFileSync(file, "utf8")).not.toContain("TOKEN");
});

test("npm run apps has the release, the ready backends and the memory of each", async () => {
  const table = await must(["npm", "run", "-s", "apps"], env);
  for (const name of running)
    expect(table).toMatch(
      new RegExp(`^${name} +\\d{8}T\\d{6}Z-\\w+ +2 of 2 +\\d+ of 256 MiB +https://${domainOf(name)}`, "m"),
    );
  if (wholeNight) expect(table).toMatch(/^pages +\d{8}T\d{6}Z-\w+ +- +- +http/m);
  console.log(table);
});

atNight(
  "each drill holds for an app that knows nothing of Halo",
  async () => {
    const chosen = ["worker", "halt", "power", "deploy", "rollback", "bad-release"];
    const { code, output } = await sh(["ops/run", "drill", "--app", "notes", ...chosen], env);
    console.log(output);
    expect(code, output).toBe(0);
  },
  1_200_000,
);

atNight("a first release that fails says why, costs no request, and the next up takes the corrected one", async () => {
  const late = Repository.of("plain", join(folder, "late"));
  const server = readFileSync(join(late.folder, "server.js"), "utf8");
  late.put({ "server.js": server.replace("process.env.PORT || 3000", "3999") });
  late.commit();
  await must(["npm", "run", "-s", "add", "--", late.address], env);
  // As an up leaves it that ended before any host had it.
  const stale = localPath("releases", "late");
  mkdirSync(stale, { recursive: true });
  writeFileSync(join(stale, "20260101T000000Z-aaaaaaa.tar.gz"), "");
  await underLoad(async () => {
    const { code, output } = await sh(["ops/run", "up"], env);
    expect([code, output]).toEqual([expect.any(Number), expect.stringContaining("it listens on 3999, not on PORT")]);
    expect(code).not.toBe(0);
  });
  late.put({ "server.js": server });
  late.commit();
  await must(["ops/run", "up"], env);
  expect((await ask("late")).status).toBe(200);
});

// The last one, because it takes an app away.
atNight("an app that is removed leaves its stores, which the same app finds again", async () => {
  const early = sessionOf(await ask("notes", "/", { method: "POST" }, '{"text":"before the removal"}'));
  const entries = readFileSync(file, "utf8");
  await must(["npm", "run", "-s", "remove", "--", "notes"], env);
  expect((await ask("notes")).status).toBe(421);
  for (const host of backends)
    expect(await on(host, "ls /opt/halo/apps; getent passwd halo-notes || true")).not.toContain("notes");
  writeFileSync(file, entries);
  await must(["ops/run", "up"], env);
  const { body } = await notesOf(early);
  expect(JSON.parse(body)).toEqual([expect.objectContaining({ text: "before the removal" })]);
});
