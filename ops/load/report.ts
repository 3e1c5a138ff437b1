import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { UserError } from "../lib/cli.ts";
import type { Sample } from "../loadgen/sample.ts";
import type { Round } from "./desk.ts";
import { disagree, isFailure, type LoadMetrics, type Second, tallyBy } from "./metrics.ts";
import type { Step } from "./run.ts";

/** Everything that is to say about a run; the JSON report is this. */
export type Report = {
  scenario: string;
  what: string;
  path: string;
  /** When it began (ISO), and how long it took, in s. */
  at: string;
  seconds: number;
  interrupted: boolean;
  client: LoadMetrics;
  /** Without it `without` says why. */
  prometheus?: LoadMetrics;
  without?: string;
  /** The client's p95 as nginx and Prometheus would have measured it, in ms. */
  p95AsLogged?: number;
  /** Ms between the client and nginx. */
  way?: number;
  steps: Step[];
  /** Of a desk. */
  rounds?: Round[];
  notes: string[];
  series: Second[];
};

/**
 * The published part of the original: at the peak of `high` it lost half of its requests. Its other values
 * are not known here.
 */
const original: Record<string, Partial<Record<string, string>>> = { high: { failed: "half, at its peak" } };

/** A row of the table; resolution is the smallest difference that the two sides can show, in the unit of the values. */
type Line = {
  name: string;
  unit: string;
  digits: number;
  resolution: number;
  of(metrics: LoadMetrics): number | undefined;
  detail?(metrics: LoadMetrics): string;
};

const total = (cpu?: Record<string, number>) => cpu && Object.values(cpu).reduce((all, cores) => all + cores, 0) * 100;

const lines: Line[] = [
  { name: "requests/s", unit: "", digits: 1, resolution: 0.05, of: ({ rate }) => rate },
  { name: "p95", unit: " ms", digits: 1, resolution: 1, of: ({ p95 }) => p95 },
  { name: "failed", unit: " %", digits: 2, resolution: 0.05, of: ({ errors }) => errors * 100 },
  {
    name: "backend CPU",
    unit: " %",
    digits: 0,
    resolution: 5,
    of: ({ cpu }) => total(cpu),
    detail: ({ cpu = {} }) =>
      ` (${Object.entries(cpu)
        .map(([host, cores]) => `${host} ${(cores * 100).toFixed(0)}`)
        .join(", ")})`,
  },
  {
    name: "database latency",
    unit: " ms",
    digits: 2,
    resolution: 0,
    of: ({ database }) => database?.mean,
    detail: ({ database }) => (database?.p95 === undefined ? "" : ` (p95 ${database.p95.toFixed(1)})`),
  },
];

const cell = (line: Line, metrics?: LoadMetrics): string => {
  const value = metrics && line.of(metrics);
  if (metrics === undefined || value === undefined) return "-";
  return `${value.toFixed(line.digits)}${line.unit}${line.detail?.(metrics) ?? ""}`;
};

/** The rows of the table as texts: name, client, Prometheus, difference, and where something is known of it the original's. */
export function rows({ scenario, client, prometheus, p95AsLogged }: Report): string[][] {
  const known = original[scenario];
  return lines.map((line) => {
    const theirs = prometheus && line.of(prometheus);
    const ours = line.name === "p95" ? p95AsLogged : line.of(client);
    const both = theirs !== undefined && ours !== undefined;
    const off = both && Math.max(ours, theirs) > 0 ? (theirs / ours - 1) * 100 : 0;
    const percent = Number.isFinite(off) ? `${off >= 0 ? "+" : ""}${off.toFixed(0)} %` : "only there";
    const flag = both && disagree(ours, theirs, line.resolution) ? " DISAGREE" : "";
    return [
      line.name,
      cell(line, client),
      cell(line, prometheus),
      both ? percent + flag : "-",
      ...(known ? [known[line.name] ?? "-"] : []),
    ];
  });
}

/** Whether the two sides agree. */
export const agrees = (report: Report): boolean => !rows(report).some(([, , , off]) => off?.endsWith("DISAGREE"));

const heads = ({ scenario }: Report) => [
  ...["", "client", "Prometheus", "difference"],
  ...(original[scenario] ? ["the original"] : []),
];

/** Rows of texts as a Markdown table that can also be read as it is. */
function markdown(heads: string[], cells: string[][]): string {
  const widths = heads.map((head, i) => Math.max(head.length, ...cells.map((row) => row[i]?.length ?? 0)));
  const row = (texts: string[]) => `| ${texts.map((text, i) => text.padEnd(widths[i] ?? 0)).join(" | ")} |`;
  return [row(heads), row(widths.map((width) => "-".repeat(width))), ...cells.map(row)].join("\n");
}

/** The remarks under the table. */
export function remarks(report: Report): string[] {
  const { p95AsLogged, way, without } = report;
  return [
    ...(without ? [`no metrics of Prometheus: ${without}`] : []),
    ...(p95AsLogged === undefined
      ? []
      : [
          `p95 of the client counts from when a request was due; beside Prometheus' stands ${p95AsLogged.toFixed(1)} ms: from its sending, less ${(way ?? 0).toFixed(1)} ms of baseline latency (an answer of nginx by itself takes so long), in whole ms and by the same buckets`,
        ]),
    ...report.notes,
  ];
}

/** The table, with the notes beneath it. */
export const table = (report: Report): string =>
  [markdown(heads(report), rows(report)), "", ...remarks(report).map((note) => `- ${note}`)].join("\n");

/** Two runs side by side: each metric of the client and of Prometheus, and this one as a multiple of the other. */
export function compare(report: Report, other: Report): string {
  const cells = (["client", "prometheus"] as const).flatMap((side) =>
    lines.map((line) => {
      const [now, then] = [report[side], other[side]].map((metrics) => metrics && line.of(metrics));
      const ratio = now === undefined || then === undefined ? undefined : now === then ? 1 : now / then;
      return [
        `${line.name}, ${side === "client" ? "client" : "Prometheus"}`,
        cell(line, report[side]),
        cell(line, other[side]),
        ratio === undefined || !Number.isFinite(ratio) ? "-" : ratio.toFixed(2),
      ];
    }),
  );
  return markdown(
    ["", "this run", `${other.scenario}, ${other.at}`, "ratio"],
    cells.filter(([, ...texts]) => texts.some((text) => text !== "-")),
  );
}

/** Reads a run's JSON report; throws a UserError when it is none. */
export function readReport(file: string): Report {
  try {
    const report = JSON.parse(readFileSync(file, "utf8"));
    if (typeof report.client?.rate === "number") return report;
  } catch {
    // reported below
  }
  throw new UserError(`${file} is no report of a load`, "give a .json file of .halo/reports/");
}

/** Notes on the requests themselves: their backends, the failures and the slowest request. */
export function notes(samples: Sample[]): string[] {
  const count = (pairs: [string, number][]) =>
    pairs
      .slice(0, 5)
      .map(([what, many]) => `${what} ${many}`)
      .join(", ");
  const failures = samples.filter(isFailure);
  const slowest = samples.reduce<Sample | undefined>(
    (most, sample) => (sample.ms > (most?.ms ?? -1) ? sample : most),
    undefined,
  );
  const late = samples.filter((sample) => sample.late > 20).length;
  const id = (sample?: Sample) => (sample?.id ? `; npm run logs -- --request ${sample.id}` : "");
  return [
    `answered by: ${count(tallyBy(samples, ({ by }) => by ?? "nobody"))}`,
    ...(failures.length > 0
      ? [
          `failed: ${count(tallyBy(failures, ({ status, error }) => String(status || error)))}${id(failures.find((sample) => sample.id))}`,
        ]
      : []),
    ...(slowest ? [`the slowest took ${slowest.ms.toFixed(0)} ms${id(slowest)}`] : []),
    ...(late > 0 ? [`${late} requests were sent over 20 ms late, or waited so long for a connection`] : []),
  ];
}

const plain = (text: string) =>
  text.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c] ?? c);
const html = (heads: string[], cells: string[][]) =>
  `<table><tr>${heads.map((head) => `<th>${plain(head)}`).join("")}${cells.map((row) => `<tr>${row.map((text) => `<td${text.endsWith("DISAGREE") ? " class=bad" : ""}>${plain(text)}`).join("")}`).join("\n")}</table>`;

/** The report as one page that needs nothing else: uPlot and the metrics are in it. */
export function page(report: Report): string {
  const dist = dirname(createRequire(import.meta.url).resolve("uplot"));
  const { scenario, what, path, at, seconds, steps, series } = report;
  const data = {
    second: series.map((each) => each.second),
    requests: series.map((each) => each.requests),
    failed: series.map((each) => each.failed),
    p50: series.map((each) => each.p50 ?? null),
    p95: series.map((each) => each.p95 ?? null),
  };
  const stepRows = steps.map((step) => [
    `${step.rate}`,
    step.reached.toFixed(0),
    step.p95.toFixed(0),
    (step.errors * 100).toFixed(2),
    step.why ?? "in bounds",
  ]);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>Halo under load: ${plain(scenario)}, ${plain(at)}</title>
<style>
${readFileSync(join(dist, "uPlot.min.css"), "utf8")}
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff }
table { border-collapse: collapse; display: block; overflow-x: auto }
th, td { text-align: left; padding: .3rem .8rem; border-bottom: 1px solid #ddd; white-space: nowrap }
.bad { color: #b00020; font-weight: bold }
h2 { font-size: 1.1rem; margin: 1.5rem 0 .3rem }
</style>
<h1>${plain(scenario)}</h1>
<p>${plain(what)}; ${plain(path)}, ${plain(at)}, ${seconds.toFixed(1)} s${report.interrupted ? ", interrupted" : ""}</p>
${html(heads(report), rows(report))}
<ul>${remarks(report)
    .map((note) => `<li>${plain(note)}`)
    .join("")}</ul>
${steps.length > 0 ? html(["rate", "answered/s", "p95 ms", "failed %", ""], stepRows) : ""}
<h2>Requests a second</h2><div id="rate"></div>
<h2>Latency, ms from when a request was due</h2><div id="latency"></div>
<script>${readFileSync(join(dist, "uPlot.iife.min.js"), "utf8")}</script>
<script>const data = ${JSON.stringify(data)};</script>
<script>
${readFileSync(new URL("plots.js", import.meta.url), "utf8")}</script>
`;
}
