import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type RequestListener, type ServerResponse } from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { expect, test } from "vitest";
import { armUndo } from "../cluster/failsafe.ts";
import type { Session } from "../cluster/session.ts";
import { atLeast } from "../drills/balancer.ts";
import {
  describeWrites,
  judge,
  judgeWrites,
  notLive,
  type Observation,
  summarize,
  type Written,
} from "../drills/budget.ts";
import { drills } from "../drills/index.ts";
import { table } from "../drills/report.ts";
import { restartSince } from "../drills/scale.ts";
import { now } from "../lib/clock.ts";
import { root } from "../lib/paths.ts";
import { startLoad } from "../loadgen/load.ts";
import { retryDelay } from "../loadgen/options.ts";
import { percentile, type Sample } from "../loadgen/sample.ts";

const sample = (at: number, given: Partial<Sample> = {}): Sample => ({
  at,
  ms: 5,
  late: 0,
  fresh: false,
  reused: true,
  status: 200,
  retryAfter: false,
  id: `id${at}`,
  by: at % 20 ? "backend1" : "backend2",
  total: 100 + at / 10,
  ...given,
});

/** Ten seconds of 100 visits a second that two backends answer in turn; total_visits begins at 99. */
const calm = (): Sample[] => Array.from({ length: 1000 }, (_, i) => sample(i * 10));

const seen = (given: Partial<Observation> = {}): Observation => {
  const { samples = calm() } = given;
  return {
    failedAt: 3000,
    overAt: 6000,
    triedBackend: new Set(),
    retried: 0,
    before: 99,
    after: 99 + samples.length,
    ...given,
    samples,
  };
};
const broken = (given: Partial<Observation>, budget = {}) => {
  const all = seen(given);
  return judge(budget, all, summarize(all));
};

test("percentiles are values that were seen", () => {
  const values = Array.from({ length: 100 }, (_, i) => 100 - i);
  expect([0.5, 0.99, 1].map((q) => percentile(values, q))).toEqual([50, 99, 100]);
  expect(percentile([], 0.99)).toBeUndefined();
});

test("a calm load breaks nothing", () => {
  expect(broken({})).toEqual([]);
  expect(summarize(seen())).toMatchObject({
    requests: 1000,
    failed: 0,
    acknowledged: 1000,
    counted: 1000,
    attempted: 1000,
    p99: { before: 5, during: 5, after: 5 },
  });
});

test("a long run at a high rate can be summed up, and a request that nobody sent has no latency", () => {
  const samples = Array.from({ length: 300_000 }, (_, i) =>
    i % 2 ? sample(i / 100) : sample(i / 100, { ms: 0, status: 0, unsent: true }),
  );
  const stopped = { samples, readyAt: 10 };
  expect(summarize(seen(stopped))).toMatchObject({
    requests: 300_000,
    failed: 150_000,
    slowest: 5,
    p99: { before: 5 },
  });
  expect(summarize(seen({ ...stopped, backend: "backend1" })).back).toBeLessThan(0.1);
});

test("the latencies before, during and after a failure are separate", () => {
  const samples = calm().map((each) => ({ ...each, ms: each.at < 3000 ? 1 : each.at < 6000 ? 200 : 2 }));
  expect(summarize(seen({ samples })).p99).toEqual({ before: 1, during: 200, after: 2 });
});

test.each([
  ["a request without an answer", { status: 0, error: "ECONNRESET", total: undefined }, "1 requests failed"],
  ["an answer that is not the contract's", { error: "not a visit: {}" }, "1 requests failed"],
  ["a 503 that does not say when to come back", { status: 503, total: undefined }, "1 requests failed"],
  ["a 503 where none may be", { status: 503, retryAfter: true, total: undefined }, "1 requests got a 503"],
])("%s breaks the budget", (_, wrong, words) => {
  const samples = calm().with(500, sample(5000, wrong));
  expect(broken({ samples })).toEqual([words]);
});

test("a 503 is in the budget only from the program that may give it, and one has to come", () => {
  const from = (by?: string) => calm().with(500, sample(5000, { status: 503, retryAfter: true, total: undefined, by }));
  expect(broken({ samples: from("backend1") }, { refusals: "service" })).toEqual([]);
  expect(broken({ samples: from() }, { refusals: "nginx" })).toEqual([]);
  expect(broken({ samples: from() }, { refusals: "service" })).toHaveLength(1);
  expect(broken({}, { refusals: "service" })).toEqual(["nobody got a 503: the failure was none"]);
});

test("of another app nothing is counted, and a POST that two backends got breaks the budget", () => {
  const samples: Sample[] = calm().map((each) => ({ ...each, status: 302, answered: true, total: undefined }));
  const other = { samples, before: undefined, after: undefined };
  expect(broken(other)).toEqual([]);
  expect(summarize(seen(other))).toMatchObject({ failed: 0, counted: undefined });
  expect(broken({ ...other, sentTwice: 1 })).toEqual(["1 POSTs were sent to two backends"]);
  const refused = samples.with(500, { ...sample(5000), status: 502, answered: false });
  expect(broken({ ...other, samples: refused })).toEqual(["1 requests failed"]);
});

test("exactly once: lost, counted twice, numbered twice, numbered from elsewhere", () => {
  expect(broken({ after: 1098 })).toEqual([
    "1 acknowledged visits are not between the totals 99 and 1098",
    "1 acknowledged visits were lost",
  ]);
  expect(broken({ after: 1100 })[0]).toMatch(/^1 visits more than requests/);
  expect(broken({ samples: calm().with(500, sample(5000, { total: 100 })) })[0]).toMatch(
    /got a number that another one/,
  );
  const failed = calm().with(999, sample(9990, { status: 0, error: "ECONNRESET", total: undefined }));
  for (const after of [1098, 1099]) expect(broken({ samples: failed, after, mayLose: () => true })).toEqual([]);
});

test("a load's visits that others made are taken into account", () => {
  expect(broken({ after: 1149, others: { acknowledged: 50, attempted: 60 } })).toEqual([]);
  expect(broken({ after: 1148, others: { acknowledged: 50, attempted: 60 } })).toContain(
    "1 acknowledged visits were lost",
  );
});

test("the slowest request, from when it was due", () => {
  const samples = calm().with(500, sample(5000, { ms: 2500 }));
  expect(broken({ samples }, { slowest: 2500 })).toEqual(["the slowest took 2500 ms, not under 2500"]);
  expect(broken({ samples }, { slowest: 2501 })).toEqual([]);
});

test("a dead backend: ejected, probed, back in rotation", () => {
  // backend2 answers until 3.0 s, is tried until 3.2 s, probed at 5 s and 8 s, ready at 8.5 s, and answers again at 9 s.
  const samples = calm().map((each) =>
    each.at > 3000 && each.at < 9000
      ? { ...each, by: "backend1" }
      : { ...each, by: each.at % 20 ? "backend1" : "backend2" },
  );
  const triedBackend = new Set(
    samples
      .filter(({ at, by }) => by === "backend2" || (at > 3000 && at <= 3200) || at === 5000 || at === 8000)
      .map(({ id }) => id ?? ""),
  );
  const backend = { samples, triedBackend, backend: "backend2", failedAt: 3050, readyAt: 8500 };
  const sum = summarize(seen(backend));
  expect(sum).toMatchObject({ probes: 2, back: expect.closeTo(0.505), stopped: expect.closeTo(0.195) });
  expect(broken(backend, { back: 0.6, probe: 3 })).toEqual([]);
  expect(broken(backend, { back: 0.4, probe: 6 })).toEqual([
    "back 0.5 s after readiness, not within 0.4",
    "2 requests tried the dead backend after it was ejected, not 1",
  ]);
  expect(broken({ ...backend, readyAt: 9990 })).toContain("backend2 did not come back into rotation");
});

test("answers are of releases that were live then", () => {
  const live = [
    { release: "old", from: 0, to: 6000 },
    { release: "new", from: 3000, to: Number.POSITIVE_INFINITY },
  ];
  const of = (release: (at: number) => string) => calm().map((each) => ({ ...each, release: release(each.at) }));
  expect(
    notLive(
      of((at) => (at < 4500 ? "old" : "new")),
      live,
    ),
  ).toEqual([]);
  expect(
    notLive(
      of((at) => (at < 6500 ? "old" : "new")),
      live,
    ),
  ).toEqual(["49 answers were of a release that was not live then: old"]);
  expect(
    notLive(
      of((at) => (at < 2500 ? "old" : "new")),
      live,
    ),
  ).toHaveLength(1);
  expect(
    notLive(
      of(() => "other"),
      live,
    ),
  ).toHaveLength(1);
});

const write = (at: number, given: Partial<Sample> = {}): Sample =>
  sample(at, { status: 201, key: `key${at}`, ...given });
const no = { status: 503, retryAfter: true };
/** Writes of 10 s; the one of 3.1 s is refused, and acknowledged when it is sent again. */
const written = (given: Partial<Written> = {}): Written => {
  const writes = Array.from({ length: 200 }, (_, i) => write(i * 50));
  return {
    writes: [...writes.filter(({ at }) => at !== 3100), write(3100, no), write(3305, { key: "key3100" })],
    rows: writes.map(({ key = "" }) => key),
    away: [{ from: 3000, to: 3500 }],
    ...given,
  };
};

test("a drill excuses refused writes by a restart of PostgreSQL since its beginning, and by none before", () => {
  const shown = "ActiveEnterTimestampMonotonic=5800123\nActiveExitTimestampMonotonic=5600123";
  expect(restartSince(5000, shown)).toEqual([{ from: 5600.123, to: 6800.123 }]);
  expect(restartSince(5700, shown)).toEqual([]);
  expect(restartSince(1, shown.replace("5600123", "0"))).toEqual([]);
});

test("writes that all are one row break nothing, though one was refused while the database was away", () => {
  expect(judgeWrites(written())).toEqual([]);
  expect(describeWrites(written())).toContain("200 acknowledged, 200 rows; 1 refused");
});

test.each<[string, (all: Written) => Partial<Written>, string]>([
  ["an acknowledged row is not there", ({ rows }) => ({ rows: rows.slice(1) }), "1 acknowledged writes were lost"],
  ["a row exists twice", ({ rows }) => ({ rows: [...rows, "key50"] }), "1 writes made a row more than one"],
  ["a row is nobody's", ({ rows }) => ({ rows: [...rows, "other"] }), "1 rows were asked for by nobody"],
  ["one is given up", ({ writes }) => ({ writes: writes.slice(0, -1) }), "1 writes were never acknowledged"],
  ["one gets an error", ({ writes }) => ({ writes: [...writes, write(50, { status: 500 })] }), "1 writes failed"],
  [
    "a refusal is slow",
    ({ writes }) => ({ writes: [...writes, write(3050, { ...no, ms: 1001 })] }),
    "1 writes were refused after more than 1 s",
  ],
  [
    "a refusal comes while the database is available",
    ({ writes }) => ({ writes: [...writes, write(5000, no)] }),
    "1 writes were refused while the database was available",
  ],
])("%s: broken", (_, spoil, words) => {
  const all = { ...written(), ...spoil(written()) };
  expect(judgeWrites(all)).toEqual([words]);
});

test("where losses are allowed a write may go unanswered, and a row without an answer may exist", () => {
  const { writes, rows, away } = written();
  const lost = write(3200, { status: 0, error: "ECONNRESET", key: "key9950" });
  const all = { writes: [...writes, lost], rows, away };
  expect(judgeWrites(all)).toEqual(["1 writes failed"]);
  expect(judgeWrites({ ...all, mayLose: ({ status }) => status === 0 })).toEqual([]);
});

test("the table has a row for each drill, also for one that could not be done", () => {
  const text = table([
    { drill: "worker", seconds: 9, broken: [], notes: ["a note"], tally: summarize(seen()) },
    { drill: "redis", seconds: 2, broken: ["no ssh\nlong story"], notes: [] },
  ]);
  expect(text).toMatch(/\| worker +\| 1000 +\| 0 .*\| 1000 \/ 1000 \/ 1000 +\| held +\| 9 /);
  expect(text).toMatch(/\| redis +\| - .*\| BROKEN \| 2 /);
  expect(text).toMatch(/- worker: a note\n- redis: BROKEN: no ssh$/);
});

test("versions are compared by their numbers", () => {
  expect(["1.27.4", "1.27.10", "1.30.0", "2.0"].every((each) => atLeast(each, "1.27.4"))).toBe(true);
  expect(["1.26.3", "1.27.3", ""].some((each) => atLeast(each, "1.27.4"))).toBe(false);
});

test("each drill has a timer of its own, and the drills that need Vagrant say so", async () => {
  const lines: string[] = [];
  const session = { on: async (_: string, line: string) => lines.push(line) } as unknown as Session;
  for (const drill of drills) await armUndo(session, drill, 1);
  const units = new Set(lines.map((line) => line.match(/--unit=(\S+)/)?.[1]));
  expect(units).toEqual(new Set(drills.filter(({ undo }) => undo).map(({ name }) => `halo-drill-${name}`)));
  expect(drills.filter(({ what, providers }) => what.includes("vagrant") && !providers)).toEqual([]);
});

async function serve(answer: RequestListener, work: (port: number) => Promise<void>): Promise<void> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await work((server.address() as AddressInfo).port);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
const load = async (port: number, ms: number, fresh = false): Promise<Sample[]> => {
  const { samples, stop } = startLoad({ host: "127.0.0.1", port, domain: "a.test", rate: 100, fresh });
  await expect.poll(() => samples.length, { timeout: 10_000 }).toBeGreaterThan(0); // its thread takes a while to start
  const end = now() + ms;
  await expect.poll(() => now() > end, { timeout: 10_000 }).toBe(true);
  await stop();
  return samples;
};

test("the load goes on through a stall, and every request that it held up shows it", async () => {
  let first = 0;
  const visits: RequestListener = (_req, res) => {
    first ||= now();
    const stalled = now() - first > 300 && now() - first < 800;
    const answer = () =>
      res
        .setHeader("X-Served-By", "b")
        .end(JSON.stringify({ container_id: "b", database_status: "", total_visits: 1 }));
    if (stalled) setTimeout(answer, 800 - (now() - first));
    else answer();
  };
  await serve(visits, async (port) => {
    const samples = await load(port, 1200);
    expect(samples.length).toBeGreaterThan(100);
    expect(samples.every(({ status, by, total }) => status === 200 && by === "b" && total === 1)).toBe(true);
    expect(Math.max(...samples.map(({ ms }) => ms))).toBeGreaterThan(400);
    expect(samples.filter(({ ms }) => ms > 100).length).toBeGreaterThan(20);
    expect(samples.some(({ reused }) => reused)).toBe(true);
  });
});

test("a request that comes when too many are waiting is not sent, and counted", async () => {
  let answer = false;
  const waiting: ServerResponse[] = [];
  await serve(
    (_req, res) => void (answer ? res.end() : waiting.push(res)),
    async (port) => {
      const { samples, stop } = startLoad({
        host: "127.0.0.1",
        port,
        domain: "a.test",
        rate: 50_000,
        connections: 1,
      });
      await expect.poll(() => samples.some(({ unsent }) => unsent), { timeout: 10_000 }).toBe(true);
      answer = true;
      for (const res of waiting) res.end();
      await stop();
      expect(samples.filter(({ unsent }) => !unsent).length).toBeGreaterThanOrEqual(10_000);
      expect(samples.find(({ unsent }) => unsent)).toMatchObject({
        status: 0,
        error: expect.stringMatching(/^not sent/),
      });
    },
  );
});

test("the load reports resets, wrong answers and new connections", async () => {
  let n = 0;
  const odd: RequestListener = (req, res) => {
    n++;
    if (n % 3 === 0) req.socket.destroy();
    else if (n % 3 === 1) res.end("{}");
    else res.writeHead(503, { "Retry-After": "2" }).end("{}");
  };
  await serve(odd, async (port) => {
    const samples = await load(port, 300, true);
    expect(new Set(samples.map(({ status, error }) => `${status} ${error}`))).toEqual(
      new Set(["0 ECONNRESET", "200 not a visit: {}", "503 undefined"]),
    );
    expect(samples.some(({ reused }) => reused)).toBe(false);
  });
});

test("every second one of the new connections by https resumes a session", async () => {
  const place = mkdtempSync(join(tmpdir(), "halo-load-"));
  const [key, cert] = [join(place, "a.key"), join(place, "a.crt")];
  const made = spawnSync("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key],
    ...["-out", cert, "-subj", "/CN=a.test", "-addext", "subjectAltName=DNS:a.test"],
  ]);
  expect(made.status).toBe(0);
  const ca = readFileSync(cert, "utf8");
  const server = https.createServer({ key: readFileSync(key), cert: ca }, (_req, res) => void res.end());
  rmSync(place, { recursive: true });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { samples, stop } = startLoad({
    ...{ host: "127.0.0.1", port: (server.address() as AddressInfo).port, domain: "a.test", rate: 100, path: "/" },
    ...{ fresh: true, tls: { servername: "a.test", ca } },
  });
  await expect.poll(() => samples.length, { timeout: 30_000 }).toBeGreaterThan(50);
  await stop();
  server.close();
  expect(samples.filter(({ status }) => status !== 200)).toEqual([]);
  const resumed = samples.filter((sample) => sample.resumed).length / samples.length;
  expect(resumed).toBeGreaterThan(0.3);
  expect(resumed).toBeLessThan(0.7);
});

test("a write is sent again with its key until it is acknowledged, also after the end", async () => {
  const tries = new Map<string, number>();
  const rows: RequestListener = async (req, res) => {
    const key = String(req.headers["idempotency-key"]);
    tries.set(key, (tries.get(key) ?? 0) + 1);
    const { name, phone } = (await json(req)) as { name: string; phone: string };
    if (tries.get(key) === 1) res.writeHead(503, { "Retry-After": "1" }).end("{}");
    else if (tries.get(key) === 2) req.socket.destroy();
    else
      res
        .writeHead(req.method === "POST" && req.url === "/api/customers" && phone ? 201 : 400)
        .end(JSON.stringify({ id: 1, name }));
  };
  await serve(rows, async (port) => {
    const { samples, stop } = startLoad({ host: "127.0.0.1", port, domain: "a.test", rate: 50, writes: "test" });
    await expect.poll(() => tries.size, { timeout: 10_000 }).toBeGreaterThan(10);
    await stop();
    expect([...new Set(tries.values())]).toEqual([3]);
    expect(new Set(samples.map(({ key }) => key))).toEqual(new Set(tries.keys()));
    const refused = { from: 0, to: Number.POSITIVE_INFINITY };
    const all = {
      writes: samples,
      rows: [...tries.keys()],
      away: [refused],
      mayLose: ({ status }: Sample) => status === 0,
    };
    expect(judgeWrites(all)).toEqual([]);
  });
});

test("a load that is stopped twice sends each write that waits once more", async () => {
  const refused = new Set<unknown>();
  const written: unknown[] = [];
  let open = false;
  const rows: RequestListener = async (req, res) => {
    const { name } = (await json(req)) as { name: string };
    if (open) written.push(name);
    else refused.add(name);
    res.writeHead(open ? 201 : 503, { "Retry-After": "30" }).end(JSON.stringify({ id: 1, name }));
  };
  await serve(rows, async (port) => {
    const { stop } = startLoad({ host: "127.0.0.1", port, domain: "a.test", rate: 50, writes: "test" });
    await expect.poll(() => refused.size, { timeout: 10_000 }).toBeGreaterThan(10);
    open = true;
    await Promise.all([stop(), stop()]);
    expect(written).toHaveLength(new Set(written).size);
    expect(refused.difference(new Set(written))).toEqual(new Set());
  });
});

test("npm run drill -- nonsense says which drills there are", () => {
  const { status, stderr } = spawnSync(process.execPath, [join(root, "ops/drill.ts"), "worker", "nonsense"], {
    encoding: "utf8",
  });
  expect(status).toBe(1);
  expect(stderr).toMatch(/there is no drill nonsense\nFix: name some of worker, .*blackhole.*overload/);
});

test("a write that is not acknowledged is sent again ever more rarely: rows of a long outage cannot keep the hosts from coming back", () => {
  const delays = Array.from({ length: 10 }, (_, tries) => retryDelay(tries, false, 1, 20));
  expect(delays.slice(0, 4)).toEqual([200, 400, 800, 1600]);
  expect(delays.at(-1)).toBe(30_000);
  expect(retryDelay(0, true, 1, 20)).toBe(1000);
  // The rows of an outage of fifteen minutes, on emulated hosts and on containers: at most four are sent again for each new one.
  for (const rate of [0.5, 20]) {
    const rows = 900 * rate;
    for (const tries of [0, 5, 20])
      expect(rows / (retryDelay(tries, true, rows, rate) / 1000)).toBeLessThanOrEqual(4 * rate);
  }
});
