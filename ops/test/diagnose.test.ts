import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { thresholdOf } from "../../test/lib/alerts.ts";
import { causes } from "../diagnose/causes/index.ts";
import { floorGrowth } from "../diagnose/causes/leak.ts";
import { causeNames } from "../diagnose/causes/types.ts";
import { diagnose, symptoms, unseen } from "../diagnose/findings.ts";
import { limits } from "../diagnose/limits.ts";
import { since } from "../diagnose/readings.ts";
import type {
  Balancer,
  HostReport,
  Postgres,
  QueryResults,
  Redis,
  Service,
  Session,
  Snapshot,
  TimeSeries,
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
  memory: { used: 150 * 2 ** 20, limit: 576 * 2 ** 20 },
  ...given,
});
const postgres = (given: Partial<Postgres> = {}): Postgres => ({
  unit,
  most: 49,
  sessions: [
    { app: "backend1", state: "idle", count: 8 },
    { app: "backend2", state: "idle", count: 8 },
  ],
  samples: 20,
  long: 0,
  waiting: 0,
  longest: null,
  blockers: [],
  refused: { words: {}, last: null },
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
  memory: { used: 2 ** 22, limit: 2 ** 27 },
  ...given,
});
const peer = { tries: 1000, answers: 1000, timeouts: 0, errors: 0, lastTimeout: null };
const balancer = (given: Partial<Balancer> = {}): Balancer => ({
  unit,
  drained: [],
  requests: 2000,
  failed: 0,
  p95: 0.01,
  peers: { backend1: peer, backend2: peer },
  probes: { backend1: [0.003, 0.003, 0.003], backend2: [0.003, 0.003, 0.003] },
  weights: {},
  ...given,
});
const report = (given: Partial<HostReport> = {}): HostReport => ({
  at,
  disks: [{ mount: "/", free: 0.6, bytes: 2e10 }],
  steal: 0.01,
  ...given,
});

type Given = {
  balancer?: Partial<Balancer>;
  redis?: Partial<Redis> | { error: string };
  postgres?: Partial<Postgres> | { error: string };
  backend1?: Partial<Service> | { error: string };
  backend2?: Partial<Service>;
  front?: Partial<HostReport>;
  metrics?: QueryResults | { error: string };
};
/** A healthy cluster but for the given parts. */
const cluster = (given: Given = {}): Snapshot => ({
  at,
  window: 60,
  app: { name: "demo", unit: "halo@demo", user: "halo-demo" },
  hosts: [
    {
      name: "balancer",
      groups: ["balancers", "redis", "postgres", "monitoring"],
      report: report({
        balancer: balancer(given.balancer),
        redis: given.redis && "error" in given.redis ? given.redis : redis(given.redis),
        postgres: given.postgres && "error" in given.postgres ? given.postgres : postgres(given.postgres),
        ...given.front,
      }),
    },
    {
      name: "backend1",
      groups: ["backends"],
      report:
        given.backend1 && "error" in given.backend1 ? given.backend1 : report({ service: service(given.backend1) }),
    },
    { name: "backend2", groups: ["backends"], report: report({ service: service(given.backend2) }) },
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
const idle = (count: number, state = "idle") => [{ app: "cron", state, count }];
const broken = { persistence: { aof_enabled: "1", aof_last_write_status: "ok", aof_last_bgrewrite_status: "err" } };
const wrongPassword = 'password authentication failed for user "halo"';
const refused = { unready: `redis: silent; postgres: ${wrongPassword} (28P01)` };
const notAllowed = 'postgres: role "halo" is not permitted to log in (28000)';
const climbing: TimeSeries = Array.from({ length: 13 }, (_, i) => [at - 60 + i * 5, (30 + i * 8) * 2 ** 20]);
const leaking = { heapNow: { "backend1 0": climbing }, collections: { "backend1 0": [[at, 2]] as TimeSeries } };

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
    ["Redis has no memory", { redis: { memory: { used: 2 ** 27, limit: 2 ** 27 } } }, ["redis-memory balancer"]],
    ["Redis without a bound", { redis: { memory: { used: 2 ** 27, limit: 0 } } }, []],
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
      ["leak backend1"],
    ],
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
      { postgres: locked, metrics: { refused: { backend1: flat(9) } } },
      "slow-queries balancer",
      /connections/,
    ],
    [
      "requests that get no connection because none can log in",
      { backend1: refused, backend2: refused, metrics: { refused: { backend1: flat(9) } } },
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
      { backend1: blocked, metrics: { statement: { backend1: flat(0.2) } } },
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
  const metrics: QueryResults = { lag: { backend1: turned(0.01, 0.4) } };
  const [finding] = diagnose(cluster({ metrics }));
  expect(finding).toMatchObject({ cause: "starvation", hosts: ["backend1"], since: at - 100 });
  expect(finding?.evidence.join()).toContain("400 ms");
  expect(found({ metrics: { throttled: { backend2: flat(0.3) } } })).toEqual(["cpu backend2"]);
  const statement = { backend1: flat(0.05), backend2: flat(0.06) };
  expect(found({ metrics: { statement } })).toEqual(["slow-queries backend1+backend2"]);
  expect(found({ metrics: { statement: { ...statement, backend2: flat(0.002) } } })).toEqual([]);
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
  expect(finding?.next[0]).toContain("site.yml");
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
])("the bound of a cause is the threshold of %s: %s", (alert, limit) => {
  expect(limit).toBe(thresholdOf(alert));
});

test.each([
  ["SiteErrors", (share: number) => ({ failed: share * balancer().requests })],
  ["SiteSlow", (p95: number) => ({ p95 })],
])("visitors notice a value above the threshold of %s", (alert, of) => {
  const threshold = thresholdOf(alert);
  expect(symptoms(cluster({ balancer: of(threshold) }))).toEqual([]);
  expect(symptoms(cluster({ balancer: of(1.01 * threshold) }))).toHaveLength(1);
});

test("every cause has a section in the runbook, and each but two a fault", () => {
  const text = readFileSync(join(root, "docs/runbook.md"), "utf8");
  const anchors = [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) => title.toLowerCase().replaceAll(" ", "-"));
  for (const name of causeNames) expect(anchors, name).toContain(causes[name].runbook);
  const without = causeNames.filter((name) => !faults.some((fault) => fault.name === name));
  expect(without).toEqual(["redis-down", "database-down"]); // npm run drill has these
});
