import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { readIntake } from "../../app/src/workshop/intake.ts";
import { readListRequest } from "../../app/src/workshop/lists.ts";
import { resources } from "../../app/src/workshop/resources.ts";
import { thresholdOf } from "../../test/lib/alerts.ts";
import { histogramQuantile, type LabelledValue } from "../cluster/prometheus.ts";
import type { Session } from "../cluster/session.ts";
import { backends } from "../cluster/topology.ts";
import { UserError } from "../lib/cli.ts";
import { root } from "../lib/paths.ts";
import { cores, readCpu } from "../load/cluster.ts";
import { Desk, deskNotes, type Round, runDesk } from "../load/desk.ts";
import { bySecond, clientMetrics, counters, disagree, p95Like, prometheusMetrics } from "../load/metrics.ts";
import { agrees, compare, page, type Report, readReport, rows, table } from "../load/report.ts";
import { findKnee, judge, knee, runLoad, type Step } from "../load/run.ts";
import { bounds, list, makePlan, type Plan } from "../load/scenarios.ts";
import { removeRows } from "../loadgen/rows.ts";
import type { Sample } from "../loadgen/sample.ts";

const sample = (at: number, given: Partial<Sample> = {}): Sample => ({
  at,
  ms: 5,
  late: 0,
  fresh: false,
  reused: true,
  status: 200,
  retryAfter: false,
  id: "0".repeat(32),
  by: "backend1",
  ...given,
});
const samples = (n: number, ms: (i: number) => number = () => 5) =>
  Array.from({ length: n }, (_, i) => sample(i * 10, { ms: ms(i) }));

describe("a plan", () => {
  test("the original's two are as they were", () => {
    expect(makePlan("normal", {})).toMatchObject({
      path: "/api/vehicles",
      phases: [{ from: 0, seconds: 100, rate: 1 }],
    });
    expect(makePlan("high", {})).toMatchObject({ path: "/api/customers", clients: { count: 3, times: 500 } });
  });

  test("wishes change it", () => {
    expect(makePlan("visits", { rate: "0.5", duration: "2m", connections: "7", path: "/assets/x" })).toMatchObject({
      path: "/assets/x",
      connections: 7,
      phases: [{ from: 0, seconds: 120, rate: 0.5 }],
    });
    const [base, peak] = makePlan("spike", { rate: "100", duration: "30" }).phases ?? [];
    expect([base, peak]).toEqual([
      { from: 0, seconds: 30, rate: 10 },
      { from: 10, seconds: 10, rate: 90 },
    ]);
  });

  test("a desk has rounds of its duration", () => {
    expect(makePlan("desk", { rate: "10", duration: "1m" })).toMatchObject({
      seconds: 60,
      desk: { rate: 10, rounds: 6 },
    });
  });

  test.each([
    [undefined, {}, /no scenario is named/],
    ["much", {}, /there is no scenario much/],
    ["constructor", {}, /there is no scenario/],
    ["normal", { rate: "0" }, /--rate 0 is not possible/],
    ["normal", { rate: "1e9" }, /--rate 1e9 is not possible/],
    ["normal", { rate: "fast" }, /--rate fast is not possible/],
    ["normal", { duration: "0" }, /--duration 0 is not possible/],
    ["normal", { duration: "2d" }, /--duration 2d is not possible/],
    ["stress", { duration: "60" }, /--duration 60 is not possible/],
    ["normal", { duration: "-1" }, /--duration -1 is not possible/],
    ["visits", { rate: "5000", duration: "1h" }, /that would be 18000000 requests/],
    ["visits", { connections: "401" }, /--connections 401 is not possible/],
    ["high", { connections: "101" }, /--connections 101 is not possible/],
    ["high", { rate: "5" }, /high takes no --rate/],
    ["high", { path: "/" }, /high takes no --path/],
    ["desk", { path: "/" }, /desk takes no --path/],
    ["desk", { rate: "201" }, /--rate 201 is not possible/],
    ["desk", { duration: "6m" }, /--duration 6m is not possible/],
    ["normal", { path: "api" }, /--path api is no path/],
    ["normal", { path: "/a b" }, /is no path/],
    ["normal", { path: "/\r\nX: y" }, /is no path/],
  ])("%s %j is refused", (name, wishes, message) => expect(() => makePlan(name, wishes)).toThrow(message));

  test("npm run load names the problem, and the scenarios", () => {
    const run = (...args: string[]) =>
      spawnSync(process.execPath, [join(root, "ops/load.ts"), ...args], { encoding: "utf8" });
    const { status, stderr } = run("nonsense");
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(/no scenario nonsense\nFix: name one of normal, high, spike/),
    ]);
    expect(run("--list").stdout.trim()).toBe(list());
    expect(run("normal", "--compare", "package.json").stderr).toMatch(/package\.json is no report/);
  });
});

describe("metrics", () => {
  test("the client's: rate, p95 from when due, and every kind of failure", () => {
    const all = samples(100, (i) => i + 1);
    expect(clientMetrics(all, 10)).toEqual({ requests: 100, rate: 10, p95: 95, errors: 0 });
    const failed = [
      sample(0, { status: 0, error: "ECONNRESET" }),
      sample(0, { status: 503 }),
      sample(0, { status: 404 }),
    ];
    expect(clientMetrics([...samples(1), ...failed], 1).errors).toBe(0.75);
  });

  test("a request that was never sent has failed, and has no latency", () => {
    const unsent = sample(0, { ms: 0, status: 0, error: "not sent", unsent: true });
    expect(clientMetrics([...samples(1), ...Array(99).fill(unsent)], 1)).toMatchObject({ p95: 5, errors: 0.99 });
    expect(judge(1, 1, [unsent]).p95).toBe(Number.POSITIVE_INFINITY);
  });

  test("CPU of the backends that can be asked before and after", async () => {
    const [away = "", there = ""] = backends;
    const on = (ns: number) => async (host: string) => {
      if (host === away) throw new UserError("no way", "none");
      return { code: 0, at: 0, output: `1 ${ns}\n2 500000000` };
    };
    const asked = (ns: number) => readCpu({ on: on(ns) } as unknown as Session);
    const [before, after] = [await asked(1e9), await asked(3e9)];
    expect(cores(before, after, 2)).toEqual({ [there]: 1 });
    expect(cores(before, { ...after, [away]: new Map([["9", 1e9]]) }, 2)).toEqual({ [there]: 1 });
  });

  test("a quantile of a histogram is PromQL's", () => {
    const counts = (values: [number, number][]) => new Map(values);
    const all = counts([
      [0.005, 10],
      [0.01, 90],
      [0.1, 100],
      [Number.POSITIVE_INFINITY, 100],
    ]);
    expect(histogramQuantile(0.5, all)).toBeCloseTo(0.0075);
    expect(histogramQuantile(0.05, all)).toBeCloseTo(0.0025);
    expect(histogramQuantile(0.95, all)).toBeCloseTo(0.055);
    const above = counts([
      [0.1, 1],
      [Number.POSITIVE_INFINITY, 100],
    ]);
    expect(histogramQuantile(0.95, above)).toBe(0.1);
    expect(histogramQuantile(0.95, new Map())).toBeUndefined();
  });

  const le = [0.002, 0.005, 0.01, Number.POSITIVE_INFINITY];
  test("the client's p95 as logged: from the sending, in whole ms, without requests that nginx never saw", () => {
    const all = samples(100, () => 108).map((each) => ({ ...each, late: 100 }));
    expect(p95Like(all, le)).toBeCloseTo(9.75);
    expect(p95Like(all, le, 3.5)).toBeCloseTo(4.85);
    expect(p95Like([...all, ...samples(900).map((each) => ({ ...each, status: 0 }))], le)).toBeCloseTo(9.75);
    // 5.2 ms are 5 or 6 of a clock that counts whole ones.
    expect(p95Like([sample(0.1, { ms: 5.2 })], le)).toBeLessThanOrEqual(5);
    expect(p95Like([sample(0.9, { ms: 5.2 })], le)).toBeGreaterThan(5);
  });

  const series = (__name__: string, value: number, labels = {}): LabelledValue => ({
    labels: { __name__, ...labels },
    value,
  });
  const site = "b.test";
  const at = (n: number): LabelledValue[] => [
    series("edge_requests_total", 1000 + 100 * n, { site, status: "200" }),
    series("edge_requests_total", 5 * n, { site, status: "503" }),
    series("edge_requests_total", 999 * n, { site: "a.test", status: "500" }),
    ...le.map((bound, i) =>
      series("edge_request_seconds_bucket", 35 * n * i, { site, le: Number.isFinite(bound) ? `${bound}` : "+Inf" }),
    ),
    series("process_cpu_seconds_total", 50 + 4 * n, { host: "backend1", worker: "0" }),
    series("process_cpu_seconds_total", 50 + 2 * n, { host: "backend1", worker: "1" }),
    series("process_cpu_seconds_total", 50 + n, { host: "backend2" }),
    series("postgres_query_duration_seconds_sum", 7 + 0.5 * n, { operation: "select" }),
    series("postgres_query_duration_seconds_count", 8 + 250 * n, { operation: "select" }),
  ];

  test("Prometheus': the growth of one site's counters", () => {
    const { p95, ...metrics } = prometheusMetrics(site, 10, counters(at(0)), counters(at(1)));
    expect(metrics).toEqual({
      requests: 105,
      rate: 10.5,
      errors: 5 / 105,
      buckets: le,
      cpu: { backend1: 0.6, backend2: 0.1 },
      database: { mean: 2, p95: undefined },
    });
    expect(p95).toBeCloseTo(10);
  });

  test("a counter that was reset, or did not exist before, grew by all that it is", () => {
    const after = at(1).map((each) => (each.labels.host === "backend2" ? { ...each, value: 3 } : each));
    const before = at(0).filter(({ labels }) => labels.status !== "503");
    const { errors, cpu } = prometheusMetrics(site, 10, counters(before), counters(after));
    expect([errors, cpu?.backend2]).toEqual([5 / 105, 0.3]);
  });

  test("a difference over a tenth is one where it can be seen at all", () => {
    expect(disagree(100, 109, 0)).toBe(false);
    expect(disagree(100, 112, 0)).toBe(true);
    expect(disagree(112, 100, 0)).toBe(true);
    expect(disagree(4, 5, 1)).toBe(false);
    expect(disagree(0, 0, 0)).toBe(false);
  });

  test("a run second by second, in wider steps when it is long", () => {
    const all = [...samples(150), sample(1990, { status: 503 })];
    expect(bySecond(all)).toEqual([
      { second: 0, requests: 100, failed: 0, p50: 5, p95: 5 },
      { second: 1, requests: 51, failed: 1, p50: 5, p95: 5 },
    ]);
    expect(bySecond([sample(0), sample(3_600_000)]).length).toBeLessThanOrEqual(601);
  });
});

describe("the knee", () => {
  /** A site that holds a rate up to its knee. */
  const search = async (knee: number, to: number): Promise<Step[]> => {
    const steps: Step[] = [];
    await findKnee({ from: 50, to }, async (rate) => {
      const step = { rate, reached: rate, p95: 1, errors: 0, ...(rate > knee ? { why: "p95 is over 200 ms" } : {}) };
      steps.push(step);
      return step;
    });
    return steps;
  };

  test.each([10, 49, 51, 333, 2000])("at %i/s it is found to a tenth", async (at) => {
    const steps = await search(at, 5000);
    const held = Math.max(...steps.filter(({ why }) => !why).map(({ rate }) => rate));
    expect(held).toBeLessThanOrEqual(at);
    expect(held).toBeGreaterThan(at / 1.12);
    expect(steps.length).toBeLessThan(16);
    expect(knee(steps, 5000)).toContain(`the knee is at ${held}/s: at `);
  });

  test("the longest search keeps to the bound of all requests", async () => {
    expect(() => makePlan("stress", { duration: "21" })).toThrow(/--duration 21 is not possible/);
    for (let at = 40; at <= 5000; at += 40) {
      const sent = (await search(at, 5000)).reduce((all, { rate }) => all + rate * 20, 0);
      expect(sent).toBeLessThan(500_000);
    }
  });

  test("above the highest rate, below every one, and cut short, it is said", async () => {
    expect(knee(await search(1000, 200), 200)).toBe("the knee is above 200/s, where the search was to end");
    expect(knee(await search(0, 200), 200)).toMatch(/^no rate was in bounds: at .* p95 is over 200 ms/);
    expect(knee([], 200)).toBe("the search was cut short");
  });

  test.each([
    ["SiteSlow", bounds.p95 / 1000],
    ["SiteErrors", bounds.errors],
  ])("a step's bound is the threshold of %s: %s", (alert, bound) => {
    expect(bound).toBe(thresholdOf(alert));
  });

  test("a step is judged by its failures and by p95", () => {
    expect(judge(100, 1, samples(100)).why).toBeUndefined();
    expect(
      judge(
        100,
        1,
        samples(100, (i) => (i > 90 ? 201 : 1)),
      ).why,
    ).toBe("p95 is over 200 ms");
    expect(judge(100, 1, [...samples(98), sample(0, { status: 503 }), sample(1, { status: 0 })]).why).toBe(
      "more than 1 % failed",
    );
  });
});

describe("a report", () => {
  const metrics = { requests: 100, rate: 10, p95: 20, errors: 0, cpu: { backend1: 0.4, backend2: 0.6 } };
  const report = (given: Partial<Report> = {}): Report => ({
    scenario: "high",
    what: "<much>",
    path: "/api/customers",
    at: "2026-11-21T12:00:00.000Z",
    seconds: 10,
    interrupted: false,
    client: metrics,
    prometheus: { ...metrics, p95: 19, database: { mean: 1.5, p95: 3 } },
    p95AsLogged: 20,
    steps: [],
    notes: ["</script><b>"],
    series: bySecond(samples(1000)),
    ...given,
  });

  test("both sides with their difference, and the known values of the original", () => {
    expect(rows(report())).toEqual([
      ["requests/s", "10.0", "10.0", "+0 %", "-"],
      ["p95", "20.0 ms", "19.0 ms", "-5 %", "-"],
      ["failed", "0.00 %", "0.00 %", "+0 %", "half, at its peak"],
      ["backend CPU", "100 % (backend1 40, backend2 60)", "100 % (backend1 40, backend2 60)", "+0 %", "-"],
      ["database latency", "-", "1.50 ms (p95 3.0)", "-", "-"],
    ]);
    expect(agrees(report())).toBe(true);
    expect(rows(report({ scenario: "normal" })).map((row) => row.length)).toEqual([4, 4, 4, 4, 4]);
  });

  test("a disagreement is flagged, and a missing Prometheus explained", () => {
    const off = report({ prometheus: { ...metrics, rate: 8, errors: 0.5 } });
    expect(rows(off).map(([, , , difference]) => difference)).toEqual([
      "-20 % DISAGREE",
      "+0 %",
      "only there DISAGREE",
      "+0 %",
      "-",
    ]);
    expect(agrees(off)).toBe(false);
    const alone = report({ prometheus: undefined, without: "it is away" });
    expect(table(alone)).toContain("- no metrics of Prometheus: it is away");
    expect(rows(alone)[0]).toEqual(["requests/s", "10.0", "-", "-", "-"]);
  });

  test("two runs are compared by ratios", () => {
    const twice = report({ scenario: "normal", client: { ...metrics, rate: 5 } });
    expect(compare(report(), twice)).toMatch(/requests\/s, client +\| 10\.0 +\| 5\.0 +\| 2\.00/);
    expect(compare(report(), twice)).toMatch(/failed, client +\| 0\.00 % +\| 0\.00 % +\| 1\.00/);
  });

  test("its file is read again, another one refused", () => {
    const folder = mkdtempSync(join(tmpdir(), "halo-"));
    const file = join(folder, "load.json");
    writeFileSync(file, JSON.stringify(report()));
    expect(readReport(file)).toEqual(JSON.parse(JSON.stringify(report())));
    for (const text of ["{", "{}", "null"]) {
      writeFileSync(file, text);
      expect(() => readReport(file)).toThrow(/is no report of a load/);
    }
    expect(() => readReport(join(folder, "absent"))).toThrow(/is no report/);
    rmSync(folder, { recursive: true });
  });

  test("its page takes nothing from elsewhere, and text for text", () => {
    const text = page(report());
    expect(text).not.toMatch(/(src|href)=|@import|url\(/);
    expect(text).toContain("&lt;/script&gt;&lt;b&gt;");
    expect(text).toContain("&lt;much&gt;");
  });
});

describe("a desk", () => {
  const made = JSON.stringify({ customer: { id: 7 }, vehicle: { id: 8 }, service: { id: 9 } });
  const requests = (count: number, status: number) => {
    const desk = new Desk("halo-load-m3x", new Date("2026-11-21T03:00:00Z"));
    return Array.from({ length: count }, () => {
      const request = desk.next();
      desk.learn(request, status, made);
      return request;
    });
  };

  test("a job is 16 of 960 requests, 6 of them writes; the API takes each request", () => {
    const all = requests(960, 201);
    const [intake, start, part, labour, end, payment] = all.filter(({ method }) => method !== "GET");
    expect([intake, start, part, labour, end, payment].map((each) => `${each?.method} ${each?.path}`)).toEqual([
      "POST /api/intake",
      "PATCH /api/services/9",
      "POST /api/lines",
      "POST /api/lines",
      "PATCH /api/services/9",
      "PATCH /api/services/9",
    ]);
    expect(readIntake(intake?.body).customer).toMatchObject({ name: "halo-load-m3x-1" });
    for (const line of [part, labour]) expect(resources.lines.input.parse(line?.body)).toMatchObject({ service_id: 9 });
    for (const change of [start, end, payment]) resources.services.patch.parse(change?.body);

    const reads = all.filter(({ method }) => method === "GET").map(({ path }) => new URL(path, "http://a.test"));
    expect(reads).toHaveLength(954);
    expect(reads.filter(({ pathname }) => pathname === "/api/services")).toHaveLength(944);
    for (const { pathname, searchParams } of reads) {
      const [outer, id, inner] = pathname.split("/").slice(2);
      if (id && !inner) continue;
      readListRequest(resources[(inner ?? outer) as keyof typeof resources], searchParams);
    }
  });

  test.each([2, 3, 4])("with %i backends in turn, each list of the board goes to all of them", (count) => {
    const asked = requests(240, 201).map(({ path }, turn) => `${turn % count} ${path}`);
    expect(new Set(asked.filter((each) => each.includes(" /api/services?"))).size).toBe(4 * count);
  });

  test("a job without an answer to its intake is given up for the next one", () => {
    const own = requests(240, 503).filter((_, turn) => turn % 60 === 0);
    expect(own.map(({ method, path }) => `${method} ${path}`)).toEqual([
      "GET /api/customers?limit=25&q=sant",
      "GET /api/vehicles?limit=25&q=sant",
      "POST /api/intake",
      "GET /api/customers?limit=25&q=toyota",
    ]);
  });

  /** Runs four rounds of a desk, which an interruption ends at a request of this number. */
  async function run(last = Number.POSITIVE_INFINITY) {
    const interrupted = new AbortController();
    let asked = 0;
    const server = createServer((req, res) => {
      const list = req.method === "GET" && req.url?.includes("?");
      const cache = req.headers["x-halo-cache"] === "off" ? "off" : "hit";
      asked += 1;
      if (asked >= last) interrupted.abort();
      req.resume().on("end", () => {
        res.writeHead(req.method === "POST" ? 201 : 200, list ? { "X-Cache": cache } : {}).end(made);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const target = { host: "127.0.0.1", port, domain: "a.test", writes: "halo-load-x" };
    const said = vi.spyOn(console, "log").mockImplementation(() => {});
    let used = 0;
    const cpu = async () => {
      used += 0.5;
      return used;
    };
    const plan = { seconds: 0.3, connections: 4, desk: { rate: 100, rounds: 4 } };
    const done = await runDesk(plan, target, cpu, interrupted.signal);
    said.mockRestore();
    server.close();
    server.closeAllConnections();
    return done;
  }

  test("its rounds ask for no cache and for the cache in turn, after a first one that does not count", async () => {
    const { samples, rounds } = await run();
    expect(samples.map(({ status, error }) => [status < 300, error])).toEqual(Array(150).fill([true, undefined]));
    expect(rounds.map(({ cached, requests, cpu }) => [cached, requests, cpu])).toEqual([
      [false, 30, 0.5],
      [true, 30, 0.5],
      [false, 30, 0.5],
      [true, 30, 0.5],
    ]);
    for (const { cached, lists, hits } of rounds) {
      expect(lists).toBeGreaterThan(25);
      expect(hits).toBe(cached ? lists : 0);
    }
  });

  test("a round that an interruption cuts short does not count", async () => {
    const { samples, rounds } = await run(65);
    expect(samples.length).toBeLessThan(90);
    expect(rounds.map(({ cached, requests }) => [cached, requests])).toEqual([[false, 30]]);
  });

  test("its result is the hits with the cache, and PostgreSQL's CPU of the whole pairs of rounds", () => {
    const round = (cached: boolean, hits: number, cpu: number): Round => ({
      cached,
      requests: 100,
      lists: 90,
      hits,
      cpu,
    });
    const rounds = [round(false, 0, 4), round(true, 81, 1), round(false, 0, 6), round(true, 81, 1.5)];
    expect(deskNotes([...rounds, round(false, 0, 9)])).toEqual([
      "lists from the service's memory, with the cache: 90.0 % (162 of 180)",
      "PostgreSQL's CPU: 10.00 s without the cache, 2.50 s with it, 75.0 % less (by pair of rounds: 4.00 and 1.00; 6.00 and 1.50)",
    ]);
    expect(deskNotes(rounds.map(({ cpu: _, ...each }) => each))[1]).toMatch(/^PostgreSQL's CPU is not known/);
    expect(deskNotes(rounds.slice(0, 1))).toEqual(["no pair of rounds was finished"]);
    expect(deskNotes([round(false, 1, 4), ...rounds.slice(1)])[0]).toContain("Fix: ");
  });
});

test.each([
  ["3", 1],
  ["0", 0],
])("%s removed rows renew the lists %i times", async (output, times) => {
  const renew = vi.fn(async () => {});
  expect(await removeRows({ on: async () => ({ code: 0, output, at: 0 }) }, "halo-load", renew)).toBe(Number(output));
  expect(renew).toHaveBeenCalledTimes(times);
});

describe("a run", () => {
  const against = async (plan: Partial<Plan>, ended = new AbortController().signal) => {
    const asked: string[] = [];
    let [open, most] = [0, 0];
    const server = createServer((req, res) => {
      // The probe that measures the baseline latency.
      if (req.headers.host === "load.invalid") return void res.end();
      asked.push(`${req.method} ${req.url} ${req.headers["idempotency-key"] ?? ""}`);
      most = Math.max(most, ++open);
      req.resume().on("end", () =>
        setTimeout(() => {
          open--;
          res.writeHead(req.method === "POST" ? 201 : 200).end("[]");
        }, 5),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const said = vi.spyOn(console, "log").mockImplementation(() => {});
    const whole = { scenario: "x", what: "", path: "/api/x", seconds: 5, connections: 10, ...plan };
    const run = await runLoad(whole, { host: "127.0.0.1", port, domain: "a.test", writes: "halo-load-x" }, ended);
    said.mockRestore();
    server.close();
    server.closeAllConnections();
    return { ...run, asked, most };
  };

  test("phases send exactly the requests that are due, one above the other", async () => {
    const { samples, asked, seconds } = await against({
      seconds: 1,
      phases: [
        { from: 0, seconds: 1, rate: 20 },
        { from: 0.3, seconds: 0.5, rate: 100 },
      ],
    });
    expect([samples.length, asked.length]).toEqual([70, 70]);
    expect(samples.every(({ status, error }) => status === 200 && !error)).toBe(true);
    expect(samples.map(({ at }) => at)).toEqual(samples.map(({ at }) => at).toSorted((a, b) => a - b));
    expect(seconds).toBeGreaterThanOrEqual(1);
    expect(seconds).toBeLessThan(10);
  });

  test("clients post and get in turn, each one request at a time, and then it is over", async () => {
    const { samples, asked, most } = await against({ clients: { count: 3, times: 10 } });
    expect(asked.filter((each) => each === "POST /api/customers ")).toHaveLength(30);
    expect(asked.filter((each) => each === "GET /api/x ")).toHaveLength(30);
    expect(most).toBe(3);
    expect(new Set(samples.flatMap(({ key }) => key ?? [])).size).toBe(30);
  });

  test("no more connections than allowed: the wait for one counts in the metrics", async () => {
    const { samples, most, seconds } = await against({
      seconds: 1,
      connections: 1,
      phases: [{ from: 0, seconds: 0.5, rate: 400 }],
    });
    expect(most).toBe(1);
    expect(Math.max(...samples.map(({ late }) => late))).toBeGreaterThan(200);
    const answering = samples.map(({ ms, late }) => ms - late);
    expect(Math.min(...answering)).toBeGreaterThan(0);
    // One after the other.
    expect(answering.reduce((sum, ms) => sum + ms, 0)).toBeLessThan(seconds * 1000);
  });

  test("an interruption ends it with the samples until then", async () => {
    const ended = AbortSignal.timeout(700);
    const { samples, seconds } = await against({ seconds: 60, phases: [{ from: 0, seconds: 60, rate: 50 }] }, ended);
    expect(samples.length).toBeGreaterThan(3);
    expect(seconds).toBeLessThan(10);
  });

  test("an interruption that came before it sends nothing", async () => {
    const { asked } = await against({ clients: { count: 1, times: 10 } }, AbortSignal.abort());
    expect(asked).toEqual([]);
  });
});
