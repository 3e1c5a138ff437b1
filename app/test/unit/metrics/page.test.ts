import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { alerts, rules, thresholdOf } from "../../../../test/lib/alerts.ts";
import {
  combinedQuery,
  exceededLimits,
  formatValue,
  limits,
  type Metric,
  metrics,
} from "../../../web/metrics/definitions.ts";
import { type Alert, changes, events, Recent, stepOf } from "../../../web/metrics/prometheus.ts";
import { levelAt, verdictOf } from "../../../web/metrics/verdict.ts";

test.each([
  ["SiteSlow", limits.p95[0]],
  ["SiteErrors", limits.errors[0]],
  ["SiteErrorsCritical", limits.errors[1]],
  ["DatabaseSlow", limits.database[0]],
  ["CpuHigh", limits.cpu[0]],
  ["CpuSaturated", limits.cpu[1]],
  ["DiskLow", limits.disk[0]],
  ["DiskCritical", limits.disk[1]],
  ["PoolExhausted", limits.connections[0]],
])("the page's limit is the threshold of %s: %s", (alert, limit) => {
  expect(limit).toBe(thresholdOf(alert));
});

test("the page's limits are the bounds of the alerts about certificates that live for 90 days", () => {
  const exprOf = (name: string) =>
    rules.flatMap((rule) => (("record" in rule ? rule.record : rule.alert) === name ? rule.expr : [])).join();
  const [warning = 0, critical] = limits.certificate;
  expect(exprOf("certificate:bound:days")).toContain(
    `clamp_max(0.3 * min by (site) (certificate_life_days), ${warning})`,
  );
  expect(exprOf("CertificateExpiringSoon")).toBe("certificate:left:days < certificate:bound:days / 3");
  expect(critical).toBe(warning / 3);
});

test("every recording rule that the page queries exists", () => {
  const recorded = new Set(rules.map((rule) => ("record" in rule ? rule.record : "")));
  const asked = [
    "release:began:seconds",
    ...metrics.flatMap(({ lines }) =>
      lines.flatMap(({ rule, ofApp = rule }) => [rule, ofApp].map((each) => each.replace(/\{.*/, ""))),
    ),
  ];
  expect(asked.filter((rule) => rule.includes(":") && !recorded.has(rule))).toEqual([]);
});

test("one query has every line, and aggregates between two points of a long range", () => {
  expect(combinedQuery(5)).toContain('label_replace(max(site:requests:rate1m), "line", "requests 0", "", "")');
  expect(combinedQuery(360)).toContain("max(avg_over_time(site:requests:rate1m[360s]))");
  expect(combinedQuery(360)).toContain("min by (host) (min_over_time(disk:free:ratio[360s]))");
  expect(combinedQuery(360)).toContain("min by (app, release) (min_over_time(release:began:seconds[360s]))");
  expect(combinedQuery(5, "shop")).toContain(
    'label_replace(max(app:requests:rate1m{app="shop"}), "line", "requests 0", "", "")',
  );
  expect(combinedQuery(360, "shop")).toContain(
    'max by (host) (avg_over_time(app_host:requests:rate1m{app="shop"}[360s]))',
  );
  expect(combinedQuery(5, "shop")).toContain('min by (app, release) (release:began:seconds{app="shop"})');
  expect(combinedQuery(5, "shop")).toContain("max by (host) (host:cpu:ratio1m)");
  expect(combinedQuery(5).split(" or ").length).toBe(metrics.flatMap(({ lines }) => lines).length + 1);
  expect([300, 900, 3600, 86400].map(stepOf)).toEqual([5, 5, 15, 360]);
});

test.each([
  [0, "per second", "0 /s"],
  [12.345, "per second", "12.3 /s"],
  [1234.5, "per second", "1,235 /s"],
  [0.00234, "seconds", "2.34 ms"],
  [1.5, "seconds", "1.5 s"],
  [0.0512, "ratio", "5.12 %"],
  [101 * 2 ** 20, "bytes", "101 MiB"],
  [999, "bytes per second", "999 B/s"],
  [1_500_000, "bytes per second", "1.5 MB/s"],
  [12, "connections", "12 "],
  [89.7, "days", "89 days"],
  [Number.NaN, "seconds", "– "],
  [null, "ratio", "– "],
] as const)("%s %s is %s", (value, unit, text) => expect(formatValue(value, unit).join(" ")).toBe(text));

test("a value is bad above a limit, or below it for a low limit; without a value it is neither", () => {
  expect([0.01, 0.011, 0.06, null].map((value) => exceededLimits(metric("errors"), value))).toEqual([0, 1, 2, null]);
  expect([0.5, 0.2, 0.19, 0.05].map((value) => exceededLimits(metric("disk"), value))).toEqual([0, 0, 1, 2]);
  expect(exceededLimits(metric("requests"), 5)).toBe(null);
});

const metric = (id: string) => metrics.find((each) => each.id === id) as Metric;

test("each alert leads to one card at most, and each alert that a card names exists", () => {
  const named = metrics.flatMap((each) => each.alerts);
  expect(named.filter((name) => !alerts.some(({ alert }) => alert === name))).toEqual([]);
  expect(new Set(named).size).toBe(named.length);
  for (const name of ["SiteSlow", "SiteErrors", "DatabaseSlow", "CpuHigh", "DiskLow", "PoolExhausted"])
    expect(named).toContain(name);
});

test("a metric is as bad as its worst curve, at any point; one of two lines is judged by a share of the second", () => {
  const curve = (name: string, values: (number | null)[], now: number | null) => ({
    name,
    host: "",
    dashed: false,
    values,
    now,
  });
  const cpu = [curve("a", [0.2, 0.95], 0.7), curve("b", [null, 0.1], 0.1)];
  expect([null, 0, 1].map((at) => levelAt(metric("cpu"), cpu, at))).toEqual([1, 0, 2]);
  expect(levelAt(metric("cpu"), [curve("a", [], null)], null)).toBe(null);
  const connections = [curve("in use", [80], 91), curve("allowed", [100], 100)];
  expect([null, 0].map((at) => levelAt(metric("connections"), connections, at))).toEqual([1, 0]);
});

const alert = (severity: string): Alert => ({
  name: "A",
  severity,
  summary: "",
  section: "",
  since: 0,
  state: "firing",
});
test.each<[string[], number, number[], string, string]>([
  [[], 0, [], "All is well", "well"],
  [["info"], 0, [], "All is well", "well"],
  [[], 0, [1, 1], "No alert; 2 metrics out of bounds", "bad"],
  [[], 0, [2], "No alert; 1 metric out of bounds", "worse"],
  [[], 1, [], "No alert; 1 target is down", "bad"],
  [["warning"], 0, [], "1 alert", "bad"],
  [["warning", "critical", "info"], 2, [1], "2 alerts; 2 targets are down; 1 metric out of bounds", "worse"],
])("the verdict of alerts %o, %i targets down and levels %o: %s (%s)", (severities, down, levels, text, state) => {
  const targets = Array.from({ length: down }, () => ({ job: "node", name: "a" }));
  expect(verdictOf(severities.map(alert), targets, levels)).toEqual({ text, state });
});

describe("marks", () => {
  const moment = (kind: string, text: string, edge: string, begin: number, at = begin) => ({
    kind,
    text,
    edge,
    begin,
    at,
  });

  test("each begin is a mark of its own with its own end, in any order; an end alone has the time of its begin", () => {
    expect(
      events([
        moment("drill", "halt", "end", 100, 160),
        moment("deploy", "r2", "begin", 200),
        moment("drill", "halt", "begin", 100),
        moment("drill", "halt", "begin", 300),
        moment("drill", "halt", "end", 300, 310),
        moment("deploy", "r1", "end", 40, 50),
      ]),
    ).toEqual([
      { kind: "drill", text: "halt", from: 100, to: 160 },
      { kind: "deploy", text: "r2", from: 200, to: null },
      { kind: "drill", text: "halt", from: 300, to: 310 },
      { kind: "deploy", text: "r1", from: 40, to: 50 },
    ]);
  });

  test("a release that begins while another one of its app serves is a mark at its own time; the first one, or a returning one, is none", () => {
    expect(
      changes([
        { app: "demo", name: "a", began: [null, 12, 12, null, null, 55] },
        { app: "demo", name: "b", began: [null, null, 27.5, 27.5, null, null] },
        { app: "shop", name: "c", began: [null, null, null, 33, 33, 33] },
      ]),
    ).toEqual([{ kind: "release", text: "b", from: 27.5, to: null }]);
  });
});

describe("a refresh", () => {
  const START = 1_800_000_000;
  /** All that Prometheus knows: the value of a series at a time, and moments with the times from which they can be seen. */
  const value = (time: number) => String((time % 1000) / 1000);
  const moments = [
    { kind: "drill", text: "a", edge: "begin", begin: START - 5000, at: START - 5000 },
    { kind: "drill", text: "a", edge: "end", begin: START - 5000, at: START - 4000 },
    { kind: "drill", text: "b", edge: "begin", begin: START + 6, at: START + 6 },
  ];
  let asked: { path: string; query: string; start: number; end: number; points: number }[] = [];
  const stale = new AbortController().signal;

  beforeEach(() => {
    asked = [];
    vi.useFakeTimers({ now: START * 1000, toFake: ["Date"] });
    vi.stubGlobal("location", { origin: "http://a.test" });
    vi.stubGlobal("fetch", async (url: string) => {
      const { pathname, searchParams } = new URL(url);
      const [start, end, step] = ["start", "end", "step"].map((name) => Number(searchParams.get(name)));
      const times = pathname.endsWith("query_range")
        ? Array.from(
            { length: (Number(end) - Number(start)) / Number(step) + 1 },
            (_, i) => Number(start) + i * Number(step),
          )
        : [];
      const query = searchParams.get("query") ?? "";
      asked.push({ path: pathname, query, start: Number(start), end: Number(end), points: times.length });
      const cpu = { line: "cpu 0", host: "a" };
      const now = Date.now() / 1000;
      const since = Number(query.match(/halo_event_timestamp_seconds >= (\d+)/)?.[1] ?? 0);
      const result = pathname.endsWith("query_range")
        ? [{ metric: cpu, values: times.map((time) => [time, value(time)]) }]
        : [
            { metric: cpu, value: [now, value(now)] },
            ...moments
              .filter(({ at }) => at <= now && at >= since)
              .map(({ at, begin, ...labels }) => ({
                metric: { line: "moment", ...labels, begin: String(begin) },
                value: [now, String(at)],
              })),
            { metric: { line: "moment", kind: "drill", text: "old", edge: "end" }, value: [now, String(now)] },
          ];
      return new Response(JSON.stringify({ status: "success", data: { result, alerts: [] } }));
    });
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });
  const later = (seconds: number) => vi.setSystemTime(Date.now() + seconds * 1000);
  const points = () => asked.filter(({ path }) => path.endsWith("query_range")).map((each) => each.points);

  test.each([900, 86_400])(
    "of %i s asks for the new points alone, and shows the same as one that asks for all",
    async (range) => {
      const recent = new Recent();
      await recent.load(range, "", stale);
      later(stepOf(range));
      await recent.load(range, "", stale);
      later(3 * stepOf(range));
      const state = await recent.load(range, "", stale);
      const whole = range / stepOf(range) + 1;
      expect(points()).toEqual([whole, 4, 6]);
      expect(state).toEqual(await new Recent().load(range, "", stale));
      expect(state.times).toHaveLength(whole);
      expect(state.curves.get("cpu")?.[0]?.values).not.toContain(null);
    },
  );

  test("after a choice of another range or app, or after a long pause, asks for all", async () => {
    const recent = new Recent();
    for (const [range, app] of [
      [300, ""],
      [900, ""],
      [900, "shop"],
    ] as const)
      await recent.load(range, app, stale);
    later(1000);
    await recent.load(900, "shop", stale);
    expect(points()).toEqual([61, 181, 181, 181]);
  });

  test("asks for the marks of a day once and then for later ones; a mark has the same time in every range", async () => {
    const recent = new Recent();
    await recent.load(900, "", stale);
    later(10);
    const short = await recent.load(900, "", stale);
    const long = await recent.load(86_400, "", stale);
    const queries = asked.filter(({ path }) => path.endsWith("/query")).map(({ query }) => query);
    expect(queries[0]).toContain("last_over_time(halo_event_timestamp_seconds[86400s])");
    for (const query of queries.slice(1)) expect(query).toMatch(/halo_event_timestamp_seconds >= \d+/);
    expect(short.marks).toEqual([{ kind: "drill", text: "b", from: START + 6, to: null }]);
    expect(long.marks).toEqual([...short.marks, { kind: "drill", text: "a", from: START - 5000, to: START - 4000 }]);
  });

  test("that fails keeps the points, and the next one asks for those since", async () => {
    const recent = new Recent();
    await recent.load(900, "", stale);
    const answering = fetch;
    vi.stubGlobal("fetch", async () => new Response("", { status: 503 }));
    later(5);
    await expect(recent.load(900, "", stale)).rejects.toThrow("HTTP 503");
    vi.stubGlobal("fetch", answering);
    later(5);
    expect((await recent.load(900, "", stale)).curves.get("cpu")?.[0]?.values).not.toContain(null);
    expect(points()).toEqual([181, 5]);
  });
});
