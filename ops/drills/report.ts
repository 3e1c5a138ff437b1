import type { App } from "../cluster/apps.ts";
import { findHost, remote } from "../cluster/hosts.ts";
import { hosts } from "../cluster/inventory.ts";
import type { Session } from "../cluster/session.ts";
import { isVisit, type Sample } from "../loadgen/sample.ts";
import type { Observation, Summary } from "./budget.ts";

/** The result of one drill. */
export type Row = { drill: string; seconds: number; broken: string[]; notes: string[]; tally?: Summary };

const ms = (value: number | undefined) => (value === undefined ? "-" : value.toFixed(0));
const s = (value: number | undefined) => (value === undefined ? "-" : value.toFixed(1));

/** Every row of a run as a Markdown table that can also be read as it is, with the notes beneath it. */
export function table(rows: Row[]): string {
  const cells = rows.map(({ drill, seconds, broken, tally: t }) => [
    drill,
    ...(t
      ? [
          `${t.requests}`,
          t.lost > 0 ? `${t.failed} (${t.lost} allowed)` : `${t.failed}`,
          `${t.refused}`,
          `${t.retried}`,
          ms(t.slowest),
          [t.p99.before, t.p99.during, t.p99.after].map(ms).join(" / "),
          s(t.stopped),
          s(t.back),
          [t.acknowledged, t.counted ?? "-", t.attempted].join(" / "),
        ]
      : Array(9).fill("-")),
    broken.length > 0 ? "BROKEN" : "held",
    `${seconds}`,
  ]);
  const heads = [
    "drill",
    "requests",
    "failed",
    "503",
    "retried",
    "slowest ms",
    "p99 ms before / during / after",
    "ejected s",
    "back s",
    "visits acknowledged / counted / attempted",
    "budget",
    "s",
  ];
  const widths = heads.map((head, i) => Math.max(head.length, ...cells.map((row) => row[i]?.length ?? 0)));
  const row = (texts: string[]) => `| ${texts.map((text, i) => text.padEnd(widths[i] ?? 0)).join(" | ")} |`;
  const rest = rows.flatMap(({ drill, notes, broken }) => [
    ...notes.map((note) => `- ${drill}: ${note}`),
    ...broken.map((each) => `- ${drill}: BROKEN: ${each.split("\n")[0]}`),
  ]);
  return [row(heads), row(widths.map((width) => "-".repeat(width))), ...cells.map(row), "", ...rest].join("\n");
}

/** One row as a line of its own, for while others are still to come. */
export function line({ drill, seconds, broken, tally: t }: Row): string {
  const result = t
    ? `${t.requests} requests, ${t.failed} failed, ${t.refused} refused, slowest ${ms(t.slowest)} ms, visits ${t.acknowledged} / ${t.counted ?? "-"} / ${t.attempted}`
    : "not done";
  return `${drill}: ${broken.length > 0 ? "BROKEN" : "held"} in ${seconds} s: ${result}`;
}

/** Prints the evidence of a broken budget: the first failures, and the hosts' last log lines. */
export async function explain(
  session: Session,
  app: App,
  broken: string[],
  samples: Sample[],
  seen?: Observation,
): Promise<void> {
  for (const each of broken) console.log(`  BROKEN: ${each}`);
  const failures = samples.filter((sample) => !isVisit(sample));
  const slow = samples.filter(isVisit).toSorted((a, b) => b.ms - a.ms);
  const start = seen?.failedAt ?? samples[0]?.at ?? 0;
  const describe = ({ at, ms: took, status, error, by, reused, late, id }: Sample) =>
    `    ${((at - start) / 1000).toFixed(3)} s: ${status || error}${status && error ? ` (${error})` : ""} after ${ms(took)} ms from ${by ?? "nobody"}${reused ? ", kept connection" : ""}${late > 20 ? `, sent ${ms(late)} ms late` : ""}${id ? `, ${id}` : ""}`;
  if (failures.length > 0) console.log(`  the first of ${failures.length} that were no visits, from the failure on:`);
  for (const sample of failures.slice(0, 10)) console.log(describe(sample));
  console.log("  the slowest visits:");
  for (const sample of slow.slice(0, 5)) console.log(describe(sample));
  for (const { name, groups } of hosts()) {
    const units = groups.includes("backends") ? `-u ${app.unit}` : "-u nginx -u redis-server -u postgresql@*";
    // Not the requests: there are hundreds each second.
    const script = `journalctl --no-pager -n 2000 ${units} | grep -v '"path":' | tail -n 15`;
    const { output } = await session.sh(remote(findHost(name), "sudo", "bash", "-s"), { input: script });
    console.log(`  ${name}, journal of ${units}\n${output.replaceAll(/^/gm, "    ")}`);
  }
}
