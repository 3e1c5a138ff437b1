import { describe, expect, test } from "vitest";
import { rules, thresholdOf } from "../../../../test/lib/alerts.ts";
import {
  combinedQuery,
  exceededLimits,
  formatValue,
  limits,
  type Metric,
  metrics,
} from "../../../web/metrics/definitions.ts";
import { changes, events, stepOf } from "../../../web/metrics/prometheus.ts";

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
  const asked = metrics.flatMap(({ lines }) =>
    lines.flatMap(({ rule, ofApp = rule }) => [rule, ofApp].map((each) => each.replace(/\{.*/, ""))),
  );
  expect(asked.filter((rule) => rule.includes(":") && !recorded.has(rule))).toEqual([]);
});

test("one query has every line, and aggregates between two points of a long range", () => {
  expect(combinedQuery(5)).toContain('label_replace(max(site:requests:rate1m), "line", "requests 0", "", "")');
  expect(combinedQuery(360)).toContain("max(avg_over_time(site:requests:rate1m[360s]))");
  expect(combinedQuery(360)).toContain("min by (host) (min_over_time(disk:free:ratio[360s]))");
  expect(combinedQuery(360)).toContain("max_over_time(service_release_info[360s])");
  expect(combinedQuery(5, "shop")).toContain(
    'label_replace(max(app:requests:rate1m{app="shop"}), "line", "requests 0", "", "")',
  );
  expect(combinedQuery(360, "shop")).toContain(
    'max by (host) (avg_over_time(app_host:requests:rate1m{app="shop"}[360s]))',
  );
  expect(combinedQuery(5, "shop")).toContain('max by (release) (service_release_info{app="shop"})');
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
  const metric = (id: string) => metrics.find((each) => each.id === id) as Metric;
  expect([0.01, 0.011, 0.06, null].map((value) => exceededLimits(metric("errors"), value))).toEqual([0, 1, 2, null]);
  expect([0.5, 0.2, 0.19, 0.05].map((value) => exceededLimits(metric("disk"), value))).toEqual([0, 0, 1, 2]);
  expect(exceededLimits(metric("requests"), 5)).toBe(null);
});

describe("marks", () => {
  const moment = (kind: string, text: string, edge: string, at: number) => ({
    metric: { kind, text, edge },
    value: [0, String(at)] as [number, string],
  });

  test("a beginning and its end are one mark; so is one without an end, and one without a beginning", () => {
    expect(
      events([
        moment("drill", "halt", "end", 160),
        moment("deploy", "r2", "begin", 200),
        moment("drill", "halt", "begin", 100),
        moment("deploy", "r1", "end", 50),
      ]),
    ).toEqual([
      { kind: "deploy", text: "r1", from: 50, to: null },
      { kind: "drill", text: "halt", from: 100, to: 160 },
      { kind: "deploy", text: "r2", from: 200, to: null },
    ]);
  });

  test("a release that begins while another one serves is a mark; the first one, or a returning one, is none", () => {
    expect(
      changes(
        [10, 20, 30, 40, 50, 60],
        [
          { name: "a", serves: [null, 1, 1, null, null, 1] },
          { name: "b", serves: [null, null, 1, 1, null, null] },
        ],
      ),
    ).toEqual([{ kind: "release", text: "b", from: 30, to: null }]);
  });
});
