import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { rules, thresholdOf } from "../../test/lib/alerts.ts";
import { causes } from "../diagnose/causes/index.ts";
import { floorGrowth } from "../diagnose/causes/leak.ts";
import { causeNames } from "../diagnose/causes/types.ts";
import { describe as describeFinding } from "../diagnose/command.ts";
import { advice, diagnose, symptoms, unseen } from "../diagnose/findings.ts";
import { limits } from "../diagnose/limits.ts";
import { since } from "../diagnose/readings.ts";
import {
  type Balancer,
  type HostReport,
  type Judged,
  type Postgres,
  type QueryResults,
  queries,
  type Redis,
  type RoleReport,
  type Service,
  type Session,
  type Snapshot,
  type TimeSeries,
  type Traffic,
} from "../diagnose/snapshot.ts";
import { faults } from "../faults/index.ts";
import { capture } from "../lib/exec.ts";
import { root } from "../lib/paths.ts";

const at = 1_800_000_000;
const unit = { state: "active", sub: "running", pid: 100, since: at - 9000 };
const service = (given: Partial<Service> = {}): Service => ({
  unit,
  workers: 1,
  stopped: 0,
  cpu: 0.1,
  waited: 0.01,
  probes: Array(20).fill(0.003),
  throttled: 0,
  oomKills: 0,
  memory: { used: 150 * 2 ** 20, limit: 576 * 2 ** 20 },
  ...given,
});
const role = { long: 0, waiting: 0, longest: null, blockers: [], refused: { words: {}, last: null } };
const postgres = (given: Partial<Postgres & RoleReport> = {}, shop: Partial<RoleReport> = {}): Postgres => ({
  unit,
  most: 49,
  sessions: [
    { app: "backend1", role: "halo", state: "idle", count: 8 },
    { app: "backend2", role: "halo", state: "idle", count: 8 },
  ],
  samples: 20,
  roles: { halo: { ...role, ...given }, halo_shop: { ...role, ...shop } },
  ...given,
});
const redis = (given: Partial<Redis> = {}): Redis => ({
  unit,
  answers: true,
  persistence: { aof_enabled: "1", aof_last_write_status: "ok", aof_last_bgrewrite_status: "ok" },
  folder: "/var/lib/redis",
  writeErrors: 0,
  words: [],
  files: ["appendonly.aof.1.incr.aof", "appendonly.aof.manifest"],
  replicaOf: null,
  memory: { used: 2 ** 22, limit: 2 ** 27, evicts: false },
  ...given,
});
const peer = { tries: 1000, answers: 1000, timeouts: 0, errors: 0, lastTimeout: null };
const traffic = (given: Partial<Traffic> = {}): Traffic => ({
  requests: 2000,
  failed: 0,
  p95: 0.01,
  peers: { backend1: peer, backend2: peer },
  probes: { backend1: [0.003, 0.003, 0.003], backend2: [0.003, 0.003, 0.003] },
  weights: {},
  ...given,
});
const balancer = ({ drained = [], ...given }: GivenTraffic = {}, shop: Partial<Traffic> = {}): Balancer => {
  const demo = traffic(given);
  const { requests, failed, p95 } = demo;
  return { unit, drained, requests, failed, p95, apps: { demo, shop: traffic(shop) } };
};
const report = (given: Partial<HostReport> = {}): HostReport => ({
  at,
  disks: [{ mount: "/", free: 0.6, bytes: 2e10 }],
  steal: 0.01,
  ...given,
});

type GivenTraffic = Partial<Traffic> & { drained?: string[] };
type Given = {
  balancer?: GivenTraffic;
  redis?: Partial<Redis> | { error: string };
  postgres?: Partial<Postgres & RoleReport> | { error: string };
  backend1?: Partial<Service> | { error: string };
  backend2?: Partial<Service>;
  front?: Partial<HostReport>;
  metrics?: QueryResults | { error: string };
  /** A second app with stores of its own; the others are about the counter. */
  shop?: {
    balancer?: Partial<Traffic>;
    redis?: Partial<Redis>;
    postgres?: Partial<RoleReport>;
    backend1?: Partial<Service> | { error: string };
    backend2?: Partial<Service>;
    app?: Partial<Judged>;
  };
};
const demo: Judged = {
  name: "demo",
  unit: "halo@demo",
  user: "halo-demo",
  port: 4100,
  database: "halo",
  hosts: ["backend1", "backend2"],
  stores: ["redis", "postgres"],
  path: "/healthz",
  contract: true,
  sticky: false,
};
const shop: Judged = {
  ...demo,
  name: "shop",
  unit: "halo@shop",
  user: "halo-shop",
  port: 4000,
  database: "halo_shop",
  path: "/",
  contract: false,
};
const shared = { unit: "redis-server", cli: "halo-redis-cli", folder: "/var/lib/redis" };
const own = {
  app: "shop",
  unit: "redis-server@shop",
  cli: "halo-redis-cli -p 4009",
  folder: "/var/lib/redis/shop",
};
const services = (demo: Partial<Service> = {}, shop: Partial<Service> | { error: string } = {}) => ({
  demo: service(demo),
  shop: "error" in shop ? shop : service({ probes: Array(4).fill(0.003), ...shop }),
});
/** A healthy cluster but for the given parts. */
const cluster = (given: Given = {}): Snapshot => ({
  at,
  window: 60,
  apps: given.shop ? [demo, { ...shop, ...given.shop.app }] : [demo],
  redis: given.shop ? [shared, own] : [shared],
  hosts: [
    {
      name: "balancer",
      groups: ["balancers", "redis", "postgres", "monitoring"],
      report: report({
        balancer: balancer(given.balancer, given.shop?.balancer),
        redis: {
          "redis-server": given.redis && "error" in given.redis ? given.redis : redis(given.redis),
          "redis-server@shop": redis({ folder: own.folder, ...given.shop?.redis }),
        },
        postgres:
          given.postgres && "error" in given.postgres ? given.postgres : postgres(given.postgres, given.shop?.postgres),
        ...given.front,
      }),
    },
    {
      name: "backend1",
      groups: ["backends"],
      report:
        given.backend1 && "error" in given.backend1
          ? given.backend1
          : report({ services: services(given.backend1, given.shop?.backend1) }),
    },
    {
      name: "backend2",
      groups: ["backends"],
      report: report({ services: services(given.backend2, given.shop?.backend2) }),
    },
  ],
  metrics: given.metrics ?? {},
});
const found = (given: Given) => diagnose(cluster(given)).map(({ cause, hosts }) => `${cause} ${hosts.join("+")}`);
/** The last value of a series that was good until two minutes ago. */
const turned = (good: number, bad: number): TimeSeries =>
  Array.from({ length: 181 }, (_, i) => [at - 3600 + i * 20, i > 174 ? bad : good]);
const flat = (value: number): TimeSeries => turned(value, value);

const dead = { state: "inactive", sub: "dead", pid: 0, since: at - 30 };
const down = { unit: dead, workers: 0, probes: Array(20).fill("refused") };
const blocked = { probes: Array(5).fill(0.4), cpu: 0.85 };
const held = { throttled: 0.6, quota: "5000" };
const slowest: Session = {
  pid: 7,
  app: "backend1",
  role: "halo",
  state: "active",
  seconds: 0.39,
  event: "relation",
  query: "insert",
};
const lock = { ...slowest, pid: 9, app: "psql", role: "postgres", query: "LOCK TABLE workshop.customers", samples: 15 };
const locked = { long: 15, waiting: 15, longest: slowest, blockers: [lock] };
const silent = { tries: 500, answers: 0, timeouts: 20, errors: 0, lastTimeout: at - 2 };
const unheard = {
  peers: { backend1: silent, backend2: peer },
  probes: { backend1: ["silent", "silent", "silent"], backend2: [0.003] },
};
const lopsided = { peers: { backend1: { ...peer, answers: 900 }, backend2: { ...peer, answers: 100 } } };
const idle = (count: number, state = "idle") => [{ app: "cron", role: "halo", state, count }];
const broken = { persistence: { aof_enabled: "1", aof_last_write_status: "ok", aof_last_bgrewrite_status: "err" } };
const wrongPassword = 'password authentication failed for user "halo"';
const refused = { unready: `redis: silent; postgres: ${wrongPassword} (28P01)` };
const notAllowed = 'postgres: role "halo" is not permitted to log in (28000)';
const climbing: TimeSeries = Array.from({ length: 13 }, (_, i) => [at - 60 + i * 5, (30 + i * 8) * 2 ** 20]);
const leaking = {
  heapNow: { "demo backend1 0": climbing },
  collections: { "demo backend1 0": [[at, 2]] as TimeSeries },
};

describe("the causes that are named, and no others", () => {
  test.each<[string, Given, string[]]>([
    ["a healthy cluster", {}, []],
    ["a stopped service", { backend1: down }, ["backend-down backend1"]],
    ["a host that is gone", { backend1: { error: "timed out" }, balancer: unheard }, ["backend-down backend1"]],
    ["only ssh is gone", { backend1: { error: "timed out" } }, []],
    [
      "a worker that starts again and again",
      { backend1: { ...service(), workers: 1, probes: Array(20).fill("refused") } },
      ["backend-down backend1"],
    ],
    ["both are stopped", { backend1: down, backend2: down }, ["backend-down backend1+backend2"]],
    [
      "a drained backend that is stopped",
      {
        backend1: down,
        balancer: { drained: ["backend1"], peers: { backend1: { ...peer, answers: 0 }, backend2: peer } },
      },
      [],
    ],
    [
      "its peer has all the requests",
      { backend1: down, balancer: { peers: { backend1: { ...peer, answers: 3 }, backend2: peer } } },
      ["backend-down backend1"],
    ],
    ["idle sessions of somebody", { postgres: { sessions: idle(48) } }, ["connections balancer"]],
    [
      "PostgreSQL refuses even its superuser",
      { postgres: { error: "FATAL: sorry, too many clients already" } },
      ["connections balancer"],
    ],
    ["PostgreSQL is away", { postgres: { error: "connection refused" } }, ["database-down balancer"]],
    ["another password in PostgreSQL", { backend1: refused, backend2: refused }, ["database-login backend1+backend2"]],
    ["another password in a backend's settings", { backend1: refused }, ["database-login backend1"]],
    ["the service's role may not log in", { backend2: { unready: notAllowed } }, ["database-login backend2"]],
    [
      "the rights are gone",
      { backend1: { unready: "postgres: permission denied for table customers (42501)" } },
      ["database-login backend1"],
    ],
    ["PostgreSQL starts", { backend1: { unready: "postgres: the database system is starting up (57P03)" } }, []],
    ["refused logins that are over", { postgres: { refused: { words: { [wrongPassword]: 9 }, last: at - 30 } } }, []],
    [
      "refused logins of somebody beside the service",
      { postgres: { refused: { words: { [wrongPassword]: 9 }, last: at - 2 } } },
      [],
    ],
    [
      "refused logins, and a service that is too slow to say so",
      { postgres: { sessions: [], refused: { words: { [wrongPassword]: 9 }, last: at - 2 } } },
      ["database-login balancer"],
    ],
    ["a blocked event loop", { backend1: blocked }, ["starvation backend1"]],
    [
      "a frozen worker",
      { backend1: { stopped: 1, probes: ["silent", "silent"] }, balancer: unheard },
      ["starvation backend1"],
    ],
    ["a single slow probe", { backend1: { probes: [...Array(19).fill(0.003), 0.5] } }, []],
    ["a lock on a table", { postgres: locked }, ["slow-queries balancer"]],
    ["a slow statement now and then", { postgres: { long: 4, longest: slowest } }, []],
    ["Redis cannot rewrite its file", { redis: broken }, ["redis-persistence balancer"]],
    ["Redis is a replica", { redis: { replicaOf: "127.0.0.1:1" } }, ["redis-replica balancer"]],
    [
      "Redis has no memory",
      { redis: { memory: { used: 2 ** 27, limit: 2 ** 27, evicts: false } } },
      ["redis-memory balancer"],
    ],
    ["Redis without a bound", { redis: { memory: { used: 2 ** 27, limit: 0, evicts: false } } }, []],
    ["a cache that evicts", { redis: { memory: { used: 2 ** 27, limit: 2 ** 27, evicts: true } } }, []],
    ["Redis loads its file", { redis: { persistence: { loading: "1", aof_enabled: "0" } } }, []],
    ["Redis ends itself", { redis: { writeErrors: 3 } }, ["redis-persistence balancer"]],
    ["Redis is stopped", { redis: { answers: false, unit: dead, persistence: {} } }, ["redis-down balancer"]],
    ["Redis is frozen", { redis: { error: "timed out" } }, ["redis-down balancer"]],
    ["a full disk", { front: { disks: [{ mount: "/srv", free: 0.05, bytes: 1e9 }] } }, ["disk balancer"]],
    ["more work than CPU", { backend1: { cpu: 0.05, waited: 0.7 } }, ["cpu backend1"]],
    ["a worker that computes and has to share", { backend1: { cpu: 0.7, waited: 0.25 } }, []],
    ["a CPU quota", { backend1: held }, ["cpu backend1"]],
    ["a weight", { balancer: lopsided }, ["uneven backend2"]],
    [
      "few requests, by chance all at one",
      { balancer: { peers: { backend1: { ...peer, answers: 20 }, backend2: { ...peer, answers: 0 } } } },
      [],
    ],
    ["packets that are lost", { balancer: unheard }, ["timeouts backend1"]],
    [
      "timeouts that are over",
      { balancer: { peers: { backend1: { ...silent, lastTimeout: at - 30 }, backend2: peer } } },
      [],
    ],
    ["a leak", { metrics: leaking }, ["leak backend1"]],
    ["a heap that was not collected yet", { metrics: { ...leaking, collections: {} } }, []],
    [
      "memory nearly used up",
      { backend1: { memory: { used: 560 * 2 ** 20, limit: 576 * 2 ** 20 } }, metrics: { error: "away" } },
      ["memory backend1"],
    ],
    [
      "a leak that has used up the memory",
      { backend1: { memory: { used: 560 * 2 ** 20, limit: 576 * 2 ** 20 } }, metrics: leaking },
      ["leak backend1"],
    ],
    ["a process that the kernel has ended", { backend1: { oomKills: 2 } }, ["memory backend1"]],
  ])("%s", (_, given, names) => expect(found(given)).toEqual(names));
});

describe("Redis that cannot read its data", () => {
  const starting = { ...dead, state: "activating", sub: "auto-restart" };
  const refuses =
    "Bad file format reading the append only file appendonly.aof.7.incr.aof: make a backup of your AOF file";
  test.each<[string, Partial<Redis>, RegExp, RegExp]>([
    [
      "a damaged tail",
      { words: [refuses] },
      /end of .*7\.incr\.aof is damaged/,
      /redis-check-aof --fix .*7\.incr\.aof/,
    ],
    ["a damaged base", { words: ["Short read or OOM loading DB"] }, /is damaged/, /npm run restore/],
    ["no manifest", { files: ["appendonly.aof.1.incr.aof"] }, /has no manifest/, /npm run restore/],
    ["no right", { words: ["Can't open the append-only file: Permission denied"] }, /may not read/, /chown/],
  ])("%s", (_, given, says, next) => {
    const [first, ...others] = diagnose(
      cluster({ redis: { answers: false, unit: starting, persistence: {}, ...given } }),
    );
    expect([first?.cause, others]).toEqual(["redis-data", []]);
    expect(first?.evidence.join("\n")).toMatch(says);
    expect(first?.next.join("\n")).toMatch(next);
  });
});

describe("a symptom is not named beside its cause", () => {
  test.each<[string, Given, string, RegExp]>([
    [
      "sessions that wait for a lock",
      { postgres: { ...locked, sessions: idle(48, "active") } },
      "slow-queries balancer",
      /connections/,
    ],
    [
      "a pool that is used up by slow queries",
      { postgres: locked, metrics: { refused: { "demo backend1": flat(9) } } },
      "slow-queries balancer",
      /connections/,
    ],
    [
      "requests that get no connection because none can log in",
      { backend1: refused, backend2: refused, metrics: { refused: { "demo backend1": flat(9) } } },
      "database-login backend1,backend2",
      /connections/,
    ],
    [
      "CPU that refused logins take",
      { backend1: { ...refused, cpu: 0.05, waited: 0.7 }, backend2: refused },
      "database-login backend1,backend2",
      /CPU withheld/,
    ],
    ["timeouts of a blocked worker", { backend1: blocked, balancer: unheard }, "starvation backend1", /timeouts/],
    ["timeouts because of slow queries", { postgres: locked, balancer: unheard }, "slow-queries balancer", /timeouts/],
    [
      "a lock of a blocked worker's",
      { backend1: blocked, postgres: { ...locked, blockers: [{ ...lock, app: "backend1" }] } },
      "starvation backend1",
      /Slow queries/,
    ],
    [
      "statements that seem slow from a blocked worker",
      { backend1: blocked, metrics: { statement: { "demo backend1": flat(0.2) } } },
      "starvation backend1",
      /Slow queries/,
    ],
    [
      "a blocked worker that gets no CPU",
      { backend1: { ...blocked, ...held }, balancer: unheard },
      "cpu backend1",
      /starvation.*timeouts|timeouts.*starvation/,
    ],
    [
      "a full disk below Redis",
      { redis: broken, front: { disks: [{ mount: "/", free: 0.01, bytes: 1e9 }] } },
      "disk balancer",
      /Redis persistence/,
    ],
  ])("%s", (_, given, name, explained) => {
    const [first, ...others] = diagnose(cluster(given));
    expect([`${first?.cause} ${first?.hosts}`, others]).toEqual([name, []]);
    expect(first?.explains.join()).toMatch(explained);
  });
});

test("two causes are two findings: a symptom that one does not explain stays", () => {
  const disks = [
    { mount: "/", free: 0.5, bytes: 1e9 },
    { mount: "/srv", free: 0.01, bytes: 1e9 },
  ];
  expect(found({ redis: broken, front: { disks } })).toEqual(["disk balancer", "redis-persistence balancer"]);
  expect(found({ postgres: { ...locked, sessions: idle(48) } })).toEqual([
    "connections balancer",
    "slow-queries balancer",
  ]);
  expect(found({ backend1: blocked, balancer: { peers: { backend1: peer, backend2: silent } } })).toEqual([
    "starvation backend1",
    "timeouts backend2",
  ]);
});

test("Prometheus alone names a problem that the hosts no longer show, and says since when", () => {
  const metrics: QueryResults = { lag: { "demo backend1": turned(0.01, 0.4) } };
  const [finding] = diagnose(cluster({ metrics }));
  expect(finding).toMatchObject({ cause: "starvation", hosts: ["backend1"], since: at - 100 });
  expect(finding?.evidence.join()).toContain("400 ms");
  expect(found({ metrics: { throttled: { "demo backend2": flat(0.3) } } })).toEqual(["cpu backend2"]);
  const statement = { "demo backend1": flat(0.05), "demo backend2": flat(0.06) };
  expect(found({ metrics: { statement } })).toEqual(["slow-queries backend1+backend2"]);
  expect(found({ metrics: { statement: { ...statement, "demo backend2": flat(0.002) } } })).toEqual([]);
});

test("a series that has ended says nothing of how it is now", { timeout: 30_000 }, async () => {
  const now = Date.now() / 1000;
  const values = { backend1: [now - 300, now - 60], backend2: [now - 300, now - 20] };
  const result = Object.entries(values).map(([host, times]) => ({
    metric: { host },
    values: times.map((time) => [time, "0.4"]),
  }));
  const server = createServer((_, answer) => answer.end(JSON.stringify({ data: { result } }))).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const asked = {
      parts: ["prometheus"],
      prometheus: { url, queries: { lag: { expr: "x", range: 3600, step: 20 } } },
    };
    const { prometheus } = JSON.parse(await capture(["python3", "ops/diagnose/probe.py", JSON.stringify(asked)]));
    expect(prometheus).toEqual({
      lag: {
        backend2: [
          [now - 300, 0.4],
          [now - 20, 0.4],
        ],
      },
    });
  } finally {
    server.close();
  }
});

test("a refused login is named with PostgreSQL's own words and their count", () => {
  const [finding] = diagnose(
    cluster({ backend1: refused, postgres: { refused: { words: { [wrongPassword]: 9 }, last: at } } }),
  );
  expect(finding?.evidence.join()).toMatch(
    /readyz answers: postgres: password .*28P01.*refused 9 logins in the last 60 s: password/s,
  );
  expect(finding?.next[0]).toBe("npm run up");
});

describe("two apps", () => {
  const stopped = { ...down, probes: Array(4).fill("refused") };
  const failing = { probes: Array(4).fill("answered with 500") };
  const busy = { probes: Array(4).fill(0.4), cpu: 0.9 };
  const named = (given: Given) =>
    diagnose(cluster({ shop: {}, ...given })).map(({ cause, app, hosts }) => `${cause} ${app} ${hosts.join("+")}`);

  test.each<[string, Given, string[]]>([
    ["both are healthy", {}, []],
    ["one is stopped on a backend", { shop: { backend1: stopped } }, ["backend-down shop backend1"]],
    ["the other one is", { backend1: down }, ["backend-down demo backend1"]],
    ["both are on one backend", { backend1: down, shop: { backend1: stopped } }, ["backend-down null backend1"]],
    [
      "both are on one backend, one on the other as well",
      { backend1: down, shop: { backend1: stopped, backend2: stopped } },
      ["backend-down null backend1", "backend-down shop backend2"],
    ],
    [
      "a host is gone",
      { backend1: { error: "timed out" }, balancer: unheard, shop: { balancer: unheard } },
      ["backend-down null backend1"],
    ],
    [
      "one is stopped where the other is drained",
      { balancer: { drained: ["backend1/demo"] }, backend1: down, shop: { backend1: stopped } },
      ["backend-down shop backend1"],
    ],
    [
      "the CPU of a host on which one is drained",
      { balancer: { drained: ["backend1/demo"] }, backend1: held, shop: { backend1: held } },
      ["cpu null backend1"],
    ],
    ["one is drained and stopped", { balancer: { drained: ["backend1/shop"] }, shop: { backend1: stopped } }, []],
    ["one answers with errors", { shop: { backend1: failing } }, ["unhealthy shop backend1"]],
    [
      "one answers with errors because PostgreSQL is away",
      { postgres: { error: "connection refused" }, shop: { backend1: failing, backend2: failing } },
      ["database-down null balancer"],
    ],
    [
      "one has no database, and answers with errors while PostgreSQL is away",
      { postgres: { error: "connection refused" }, shop: { app: { stores: [] }, backend1: failing } },
      ["database-down null balancer", "unhealthy shop backend1"],
    ],
    [
      "one ends itself without its Redis",
      { shop: { redis: { answers: false, unit: dead, persistence: {} }, backend1: { probes: stopped.probes } } },
      ["redis-down shop balancer"],
    ],
    [
      "one was stopped, and its Redis as well",
      { shop: { redis: { answers: false, unit: dead, persistence: {} }, backend1: stopped } },
      ["backend-down shop backend1", "redis-down shop balancer"],
    ],
    [
      "one answers with errors because its Redis is stopped",
      { shop: { redis: { answers: false, unit: dead, persistence: {} }, backend1: failing } },
      ["redis-down shop balancer"],
    ],
    ["the shared Redis is stopped", { redis: { error: "timed out" } }, ["redis-down null balancer"]],
    [
      "both Redis are stopped",
      { redis: { error: "timed out" }, shop: { redis: { answers: false, unit: dead, persistence: {} } } },
      ["redis-down null balancer", "redis-down shop balancer"],
    ],
    [
      "the data of one Redis do not explain why the other is stopped",
      {
        redis: { answers: false, unit: dead, persistence: {} },
        shop: { redis: { answers: false, persistence: {}, words: ["Short read or OOM loading DB"] } },
      },
      ["redis-data shop balancer", "redis-down null balancer"],
    ],
    [
      "a full disk is one finding",
      { front: { disks: [{ mount: "/", free: 0.05, bytes: 1e9 }] } },
      ["disk null balancer"],
    ],
    ["a blocked event loop", { shop: { backend1: busy } }, ["starvation shop backend1"]],
    [
      "a page without an answer",
      { shop: { backend1: { probes: Array(2).fill("silent") } } },
      ["unhealthy shop backend1"],
    ],
    ["a page that waits for something", { shop: { backend1: { ...busy, cpu: 0.1 } } }, []],
    [
      "a worker that is stopped",
      { shop: { backend1: { probes: ["silent"], stopped: 1 } } },
      ["starvation shop backend1"],
    ],
    [
      "one is blocked, and the other gets timeouts",
      { balancer: unheard, shop: { backend1: busy } },
      ["starvation shop backend1", "timeouts demo backend1"],
    ],
    ["packets to a host are lost", { balancer: unheard, shop: { balancer: unheard } }, ["timeouts null backend1"]],
    ["a weight", { shop: { balancer: lopsided } }, ["uneven shop backend2"]],
    ["clients that keep their backend", { shop: { balancer: lopsided, app: { sticky: true } } }, []],
    ["a lock in one database", { shop: { postgres: { ...locked } } }, ["slow-queries shop balancer"]],
    [
      "another password of one role",
      { shop: { postgres: { refused: { words: { [wrongPassword]: 9 }, last: at - 2 } } } },
      ["database-login shop balancer"],
    ],
    ["a leak", { metrics: { ...leaking } }, ["leak demo backend1"]],
    [
      "the kernel ends a worker that then refuses",
      { shop: { backend1: { oomKills: 1, probes: Array(4).fill("refused") } } },
      ["memory shop backend1"],
    ],
    ["sessions of both", { postgres: { sessions: idle(48) } }, ["connections null balancer"]],
    [
      "both wait for a CPU, which a quota holds from one",
      { backend1: { waited: 0.7 }, shop: { backend1: { ...held, waited: 0.7 } } },
      ["cpu null backend1"],
    ],
  ])("%s", (_, given, names) => expect(named(given)).toEqual(names));

  const text = (given: Given) => {
    const s = cluster(given);
    return diagnose(s)
      .flatMap((finding, i) => describeFinding(s, finding, i))
      .join("\n");
  };

  test("the title, the evidence and the next steps name the app, and not the other", () => {
    const lines = text({ shop: { backend1: stopped } });
    expect(lines).toMatch(/^\n1\. Backend down: shop on backend1, since /);
    expect(lines).toContain("ssh -- backend1 sudo systemctl restart halo@shop");
    expect(lines).not.toContain("demo");
    expect(text({ shop: { redis: { answers: false, unit: dead, persistence: {} } } })).toMatch(
      /^\n1\. Redis down: shop on balancer,.* journalctl -u redis-server@shop -n 50.* restart redis-server@shop$/s,
    );
  });

  test("one app is not named in the title", () => {
    expect(text({ backend1: down })).toMatch(/^\n1\. Backend down: backend1, since \d\d-\d\d \d\d:\d\d:\d\d UTC$/m);
    expect(text({ backend1: blocked, balancer: unheard })).toContain("It explains: Upstream timeouts (backend1)");
  });

  test("the finding of a host has the evidence and the next steps of each app, and words of both once", () => {
    const lines = text({ backend1: { ...down, workers: 2 }, shop: { backend1: { ...stopped, probes: down.probes } } });
    expect(lines).toMatch(/^\n1\. Backend down: backend1, since /);
    expect(lines).toContain("- demo: its unit halo@demo is inactive (dead) with 2 workers");
    expect(lines).toContain("- shop: its unit halo@shop is inactive (dead) with 0 workers");
    expect(lines.match(/20 of 20 connections/g)).toHaveLength(1);
    expect(lines.match(/vagrant up backend1/g)).toHaveLength(1);
    for (const { unit } of [demo, shop]) expect(lines).toContain(`systemctl restart ${unit}`);
  });

  test("the repair of a Redis of its own is about its folder and its backup", () => {
    const redis = { answers: false, unit: dead, persistence: {}, words: ["Short read or OOM loading DB"] };
    const lines = text({ shop: { redis } });
    expect(lines).toContain("cp -a /var/lib/redis/shop/appendonlydir ");
    expect(lines).toContain("systemctl stop redis-server@shop");
    expect(lines).toContain("sudo halo-backup --app shop restore FILE");
    const full = { memory: { used: 2 ** 27, limit: 2 ** 27, evicts: false } };
    expect(text({ shop: { redis: full } })).toMatch(/halo-redis-cli -p 4009 info memory.*memory: MiB.* of shop/s);
    expect(text({ shop: {}, redis: full })).toMatch(/sudo halo-redis-cli info memory.*redis_max_memory/s);
  });

  test("an app that could not be inspected is named", () => {
    const s = cluster({ shop: { backend1: { error: "No such process" } } });
    expect(unseen(s, diagnose(s))).toEqual(["service of shop on backend1 could not be inspected: No such process"]);
  });

  test("Prometheus' edge metrics get the app from the port", () => {
    expect(queries(60, [demo, shop]).share.expr).toBe(
      'sum by (app, backend) (label_replace(label_replace(rate(edge_answers_total{backend!=""}[60s]), ' +
        '"app", "demo", "upstream", ".*:4100"), "app", "shop", "upstream", ".*:4000"))',
    );
  });
});

test("a part that could not be inspected is reported, unless a finding reports it", () => {
  const error = "No such process";
  const dark = (given: Given) => unseen(cluster(given), diagnose(cluster(given)));
  expect(dark({})).toEqual([]);
  expect(dark({ front: { disks: { error } } })).toEqual([`disks of balancer could not be inspected: ${error}`]);
  expect(dark({ backend1: { error } })).toEqual([`backend1 could not be inspected: ${error}`]);
  expect(dark({ backend1: { error }, balancer: unheard })).toEqual([]);
  expect(dark({ redis: { error } })).toEqual([]);
});

test("the next steps for PostgreSQL run on its own host, also where a backend is the cause", () => {
  const [finding] = diagnose(cluster({ postgres: { ...locked, blockers: [{ ...lock, app: "backend1" }] } }));
  expect(finding).toMatchObject({ cause: "slow-queries", hosts: ["backend1"] });
  for (const each of finding?.next ?? []) expect(each).toMatch(/^npm run ssh -- balancer /);
});

test("a stretch of bad values that lasts begins after the last good one", () => {
  const bad = (value: number) => value > 1;
  expect(
    since(
      [
        [1, 5],
        [2, 0],
        [3, 5],
        [4, 5],
      ],
      bad,
    ),
  ).toBe(3);
  expect(
    since(
      [
        [1, 5],
        [2, 5],
      ],
      bad,
    ),
  ).toBe(1);
  expect(
    since(
      [
        [1, 5],
        [2, 0],
      ],
      bad,
    ),
  ).toBeUndefined();
  expect(since([], bad)).toBeUndefined();
});

test("a floor that rises is a leak; a step, a saw and a fall are not", () => {
  const series = (values: number[]): TimeSeries => values.map((value, i) => [i, value]);
  expect(floorGrowth(series([10, 20, 30, 40, 50, 60]))).toBe(40);
  expect(floorGrowth(series([10, 90, 10, 90, 10, 90]))).toBe(0);
  expect(floorGrowth(series([10, 10, 80, 80, 80, 80]))).toBe(0);
  expect(floorGrowth(series([60, 50, 40, 30, 20, 10]))).toBe(0);
  expect(floorGrowth(series([10, 90]))).toBe(0);
});

test("the symptoms that visitors notice are printed, also without a cause", () => {
  expect(symptoms(cluster())).toEqual([]);
  expect(symptoms(cluster({ balancer: { failed: 100, p95: 0.5 } }))).toEqual([
    expect.stringContaining("5.0 % of 2000 requests"),
    expect.stringContaining("500 ms"),
  ]);
});

test.each([
  ["PoolExhausted", limits.sessions],
  ["DatabaseSlow", limits.statement],
  ["DiskLow", limits.disk],
  ["CpuThrottled", limits.held],
  ["CpuSteal", limits.held],
  ["AppMemory", limits.memory],
])("the bound of a cause is the threshold of %s: %s", (alert, limit) => {
  expect(limit).toBe(thresholdOf(alert));
});

test.each([
  ["SiteErrors", (share: number) => ({ balancer: { failed: share * traffic().requests } })],
  ["SiteSlow", (p95: number) => ({ balancer: { p95 } })],
  ["AppErrors", (share: number) => ({ shop: { balancer: { failed: share * traffic().requests } } })],
  ["AppSlow", (p95: number) => ({ shop: { balancer: { p95 } } })],
])("visitors notice a value above the threshold of %s", (alert, of) => {
  const threshold = thresholdOf(alert);
  expect(symptoms(cluster(of(threshold)))).toEqual([]);
  expect(symptoms(cluster(of(1.01 * threshold)))).toHaveLength(1);
});

test("a certificate that expires is named with its site and its days, one that has time is not", () => {
  const of = (days: number): Given => ({
    metrics: { certificate: { "shop.test": [[at, days]], "film.test": [[at, 80]] } },
  });
  const [bound] = rules.flatMap((rule) =>
    "record" in rule && rule.record === "certificate:bound:days" ? rule.expr : [],
  );
  expect(bound).toContain(`, ${limits.certificate})`);
  expect(found(of(limits.certificate))).toEqual([]);
  expect(diagnose(cluster(of(20.5))).map(({ cause, evidence }) => [cause, evidence])).toEqual([
    ["certificate", ["the certificate of shop.test is valid for 20 days more (under 21 is bad)"]],
  ]);
  expect(diagnose(cluster(of(-1.5)))[0]?.evidence).toEqual([
    "the certificate of shop.test has expired 1 day ago, and browsers refuse the site",
  ]);
});

test("a load that lasts is advice on the number of backends, and nothing that is wrong", () => {
  const s = cluster({ metrics: { steady: { "": [[at, 1.5]] }, peak: { "": [[at, 1.6]] } } });
  expect(advice(s)).toMatch(/^3 backends instead of 2: .*75 % busy.* npm run scale -- backends=3$/);
  expect([diagnose(s), symptoms(s), unseen(s, [])]).toEqual([[], [], []]);
  expect(advice(cluster())).toBeUndefined();
  expect(advice(cluster({ metrics: { error: "away" } }))).toBeUndefined();
});

test("every cause has a section in the runbook, and each but five a fault", () => {
  const text = readFileSync(join(root, "docs/runbook.md"), "utf8");
  const anchors = [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) => title.toLowerCase().replaceAll(" ", "-"));
  for (const name of causeNames) expect(anchors, name).toContain(causes[name].runbook);
  const without = causeNames.filter((name) => !faults.some((fault) => fault.name === name));
  expect(without).toEqual(["redis-down", "database-down", "memory", "unhealthy", "certificate"]); // npm run drill has the first two
});
