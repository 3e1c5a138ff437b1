import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Balancer, HostReport, Postgres, Service } from "../diagnose/snapshot.ts";
import { capture } from "../lib/exec.ts";

const folder = mkdtempSync(join(tmpdir(), "halo-probe-"));
const programs = join(folder, "bin");
const closed = 1; // a port on which nothing listens
const now = Date.now() / 1000;
let report: HostReport;

/** Serves on a free port of loopback until the tests end; resolves with the port. */
const servers: ReturnType<typeof createServer>[] = [];
async function serve(answer: RequestListener): Promise<number> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

const appOf = (name: string, port: number, given: object = {}) => ({
  name,
  unit: `halo@${name}`,
  workers: "-f nothing",
  port,
  path: "/",
  contract: false,
  backends: [["backend1", "127.0.0.1"]],
  ...given,
});

beforeAll(async () => {
  mkdirSync(programs);
  for (const name of ["systemctl", "journalctl", "pgrep", "ps", "halo-redis-cli", "runuser"])
    copyFileSync(join(import.meta.dirname, "programs/diagnosed.sh"), join(programs, name));
  for (const name of readdirSync(programs)) chmodSync(join(programs, name), 0o755);
  const demo = await serve(({ url }, answer) => answer.end(url === "/readyz" ? '{"reason": "redis: silent"}' : "ok"));
  const shop = await serve(({ headers }, answer) => answer.writeHead(headers.host === "shop.test" ? 302 : 500).end());
  const blog = await serve((_, answer) => answer.writeHead(404).end());
  const line = (port: number, status: number, seconds: number, tries = `${status}`) => {
    const upstream = tries.replaceAll(/\d+/g, `127.0.0.1:${port}`);
    return JSON.stringify({ ended: now, status, seconds, upstream, upstream_status: tries });
  };
  const log = [line(demo, 200, 0.1), line(demo, 200, 0.3, "504, 200"), line(shop, 500, 2), line(9, 500, 9), "{"];
  writeFileSync(join(folder, "access.log"), log.join("\n"));
  writeFileSync(
    join(folder, "nginx.conf"),
    `server 127.0.0.1:${shop} weight=9 max_fails=1;\nserver 127.0.0.1:${demo} max_fails=1;`,
  );
  const asked = {
    name: "backend1",
    window: 60,
    slow: 0.1,
    apps: [
      appOf("demo", demo, { path: "/healthz", contract: true }),
      appOf("shop", shop, { domain: "shop.test" }),
      appOf("blog", blog),
      appOf("away", closed),
      appOf("film", blog),
      appOf("elsewhere", blog, { backends: [["backend2", "127.0.0.1"]] }),
    ],
    redis: [
      { unit: "redis-server", cli: "halo-redis-cli", folder: "/var/lib/redis" },
      { unit: "redis-server@shop", cli: "halo-redis-cli -p 4009", folder: "/var/lib/redis/shop" },
    ],
    roles: ["halo", "halo_shop"],
    parts: ["services", "redis", "postgres", "balancer"],
  };
  const script = readFileSync("ops/diagnose/probe.py", "utf8")
    .replaceAll("/var/log/nginx", folder)
    .replaceAll("/etc/nginx", folder);
  const argv = ["env", `PATH=${programs}:${process.env.PATH}`, "python3", "-", JSON.stringify(asked)];
  report = JSON.parse(await capture(argv, script));
}, 60_000);

afterAll(() => {
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true });
});

test("each app of the host is asked at its own path, and one that cannot be inspected hides no other", () => {
  const { demo, shop, blog, away, film, elsewhere } = report.services as Record<string, Service>;
  for (const each of demo?.probes ?? []) expect(each).toBeTypeOf("number");
  expect(demo?.unready).toBe("redis: silent");
  expect(shop?.probes.length).toBeGreaterThan(0);
  for (const each of shop?.probes ?? []) expect(each).toBeTypeOf("number");
  expect(new Set(blog?.probes)).toEqual(new Set(["answered with 404"]));
  expect(blog?.probes.length).toBeLessThanOrEqual(4);
  expect(new Set(away?.probes)).toEqual(new Set(["refused"]));
  expect([demo?.oomKills, shop?.oomKills, shop?.unready]).toEqual([0, 2, null]);
  expect(film).toEqual({ error: expect.any(String) });
  expect(elsewhere).toBeUndefined();
});

test("the shared Redis and an app's own are asked at their own ports", () => {
  expect(report.redis).toMatchObject({
    "redis-server": { folder: "/srv/redis", memory: { limit: 20, evicts: false } },
    "redis-server@shop": { answers: true, memory: { limit: 20, evicts: true } },
  });
});

test("PostgreSQL's statements and refused logins are those of each role", () => {
  const { most, sessions, samples, roles } = report.postgres as Postgres;
  expect([most, samples, sessions.length]).toEqual([49, 2, 2]);
  expect(roles.halo).toMatchObject({ long: 0, waiting: 0, longest: null, blockers: [], refused: { words: {} } });
  expect(roles.halo_shop).toMatchObject({
    long: 2,
    waiting: 2,
    longest: { pid: 1, seconds: 0.3 },
    blockers: [{ pid: 2, app: "psql", samples: 2 }],
    refused: { words: { 'password authentication failed for user "halo_shop"': 1 }, last: 1_800_000_000.5 },
  });
});

test("the balancer's requests are counted for each app and for all", () => {
  const { requests, failed, p95, apps } = report.balancer as Balancer;
  expect([requests, failed, p95]).toEqual([3, 1, 2]);
  expect(apps.demo).toMatchObject({ requests: 2, failed: 0, p95: 0.3, weights: {} });
  expect(apps.demo?.peers.backend1).toMatchObject({ tries: 3, timeouts: 1 });
  expect(apps.shop).toMatchObject({ requests: 1, failed: 1, p95: 2, weights: { backend1: 9 } });
  expect(apps.blog).toMatchObject({ requests: 0, p95: null, probes: { backend1: Array(3).fill("answered with 404") } });
  expect(Object.keys(apps.elsewhere?.peers ?? {})).toEqual(["backend2"]);
});
