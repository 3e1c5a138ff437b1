import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { appsFile, findApp } from "../../ops/cluster/apps.ts";
import { counterSite } from "../../ops/cluster/sites.ts";
import { root } from "../../ops/lib/paths.ts";
import { Repository } from "../../ops/test/support/repository.ts";
import { startTraffic } from "../integration/support/traffic.ts";
import { backends, explainByJournals, must, on, sh, until } from "../lib/hosts.ts";
import { balancerAddress, port, request, visit } from "../lib/http.ts";

// Apps that know nothing of Halo, from git repositories of the test's own.
const folder = mkdtempSync(join(tmpdir(), "halo-apps-"));
const names = ["plain", "store", "spa"] as const;
type Name = (typeof names)[number];
const repositories = Object.fromEntries(
  names.map((name) => [name, Repository.of(name, join(folder, name))]),
) as Record<Name, Repository>;
const domainOf = (name: string) => `${name}.${counterSite().domain}`;
const file = join(root, appsFile);
const committed = readFileSync(file, "utf8");
const [first = ""] = backends;

const ask = (name: string, path = "/", options = {}, body?: string) =>
  request(path, { ...options, port, headers: { Host: domainOf(name), ...(body && { "Content-Type": "application/json" }) } }, body);
const deploy = (name: string) => sh(["npm", "run", "-s", "deploy", "--", name]);

beforeEach(explainByJournals);

beforeAll(async () => {
  for (const name of names) console.log(await must(["npm", "run", "-s", "add", "--", repositories[name].address]));
  const since = performance.now();
  await must(["ops/run", "up"]);
  console.log(`up with three apps more: ${((performance.now() - since) / 1000).toFixed(0)} s`);
}, 900_000);

afterAll(async () => {
  const errors: unknown[] = [];
  for (const name of names) await must(["npm", "run", "-s", "remove", "--", name]).catch((error) => errors.push(error));
  writeFileSync(file, committed);
  rmSync(folder, { recursive: true });
  for (const name of ["store"]) {
    const stores = `rm -rf /var/lib/redis/${name}; cd / && runuser -u postgres -- dropdb --if-exists halo_${name}`;
    await on("balancer", stores).catch((error) => errors.push(error));
  }
  if (errors.length > 0) throw errors[0];
}, 900_000);

test("an app answers under its domain, by every backend, and its answers name the release", async () => {
  const answers = await Promise.all(Array.from({ length: 8 }, () => ask("plain")));
  expect(answers.map(({ status, body }) => `${status} ${body}`)).toEqual(answers.map(() => "200 hello\n"));
  expect(new Set(answers.map(({ headers }) => headers["x-served-by"]))).toEqual(new Set(backends));
  const commit = repositories.plain.git("rev-parse", "HEAD").slice(0, 7);
  for (const { headers } of answers) expect(headers["x-release"]).toMatch(new RegExp(`^\\d{8}T\\d{6}Z-${commit}$`));
});

test("a store has a database, a Redis and a secret of its own, which every backend has", async () => {
  const made = await ask("store", "/items", { method: "POST" }, '{"name":"tea"}');
  expect([made.status, made.body]).toEqual([201, '{"id":1}']);
  const lists = await Promise.all(Array.from({ length: 4 }, async () => JSON.parse((await ask("store")).body)));
  for (const { rows, signed } of lists) {
    expect(rows).toEqual([{ id: 1, name: "tea" }]);
    expect(signed).toMatch(/^[0-9a-f]{64}$/);
  }
  expect(new Set(lists.map(({ requests }) => requests)).size).toBe(4);
});

test("a static app: its page, a deep link and a file that is not there", async () => {
  const page = await ask("spa");
  expect([page.status, page.headers["cache-control"]]).toEqual([200, "no-cache"]);
  const [, script = ""] = page.body.match(/src="([^"]+)"/) ?? [];
  expect((await ask("spa", `/${script.replace(/^\//, "")}`)).status).toBe(200);
  expect((await ask("spa", "/deep/link")).body).toBe(page.body);
  expect((await ask("spa", "/absent.js")).status).toBe(404);
});

test("up again changes nothing, and verify knows the apps", async () => {
  const { output } = await sh(["ops/run", "up"]);
  expect(output).not.toMatch(/changed=[1-9]/);
  const verified = await must(["npm", "run", "-s", "verify"]);
  for (const name of ["plain", "store"]) expect(verified).toMatch(new RegExp(`ok .* ${name}: release .* is ready`));
});

describe("under load", () => {
  /** Runs the work while 100 requests a second, a tenth of them POST, go to an app; each has to be answered by a release that lived then. */
  async function underLoad(name: string, work: () => Promise<void>): Promise<Set<string>> {
    const { stop } = startTraffic([port], { host: balancerAddress, domain: domainOf(name) });
    let error: unknown;
    await work().catch((caught) => {
      error = caught;
    });
    const { answers, cutOff, unserved } = await stop();
    if (error) throw error;
    console.log(`${name}: ${answers.length} requests`);
    expect({ cutOff, unserved }).toEqual({ cutOff: [], unserved: 0 });
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
    return new Set(answers.map(({ release }) => `${release}`));
  }

  test("a deploy of plain: no request fails, and both releases answer", async () => {
    repositories.plain.put({ "note.txt": "next\n" });
    const commit = repositories.plain.commit().slice(0, 7);
    const releases = await underLoad("plain", async () => {
      const { code, output } = await deploy("plain");
      expect(code, output).toBe(0);
    });
    expect(releases.size).toBe(2);
    expect((await ask("plain")).headers["x-release"]).toMatch(new RegExp(`-${commit}$`));
  });

  test("PM2 of one app is killed: no request of the others fails", async () => {
    const { pid = "" } = (await on(first, "systemctl show --property=MainPID halo@store")).match(/=(?<pid>\d+)/)?.groups ?? {};
    await underLoad("plain", async () => {
      await on(first, `kill -9 ${pid}`);
      await until("the store answers there again", 60_000, async () =>
        (await on(first, "halo-release store check && echo ready")).endsWith("ready"),
      );
    });
    expect((await visit()).visit.database_status).toBe("Terhubung");
  });
});

test("a release that listens on a port of its own is refused with the cause, and the one before stays", async () => {
  const before = (await ask("plain")).headers["x-release"];
  const text = readFileSync(join(repositories.plain.folder, "server.js"), "utf8");
  repositories.plain.put({ "server.js": text.replace("process.env.PORT || 3000", "3999") });
  repositories.plain.commit();
  const { code, output } = await deploy("plain");
  expect([code, output]).toEqual([
    2,
    expect.stringMatching(/it listens on 3999, not on PORT \d+\. Fix: let the app listen on process\.env\.PORT/),
  ]);
  expect((await ask("plain")).headers["x-release"]).toBe(before);
  repositories.plain.put({ "server.js": text });
  repositories.plain.commit();
});

test("nothing of an app can be read by another one", async () => {
  const { settings, state } = findApp("store");
  for (const path of [settings, `${state}/pm2`])
    expect(await sh(["ops/run", "ssh", first, "sudo", "-u", "halo-plain", "cat", path])).toMatchObject({ code: 1 });
});

