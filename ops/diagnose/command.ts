import { parseArgs } from "node:util";
import { viaLab } from "../cluster/hosts.ts";
import { UserError } from "../lib/cli.ts";
import { parseDuration } from "../lib/duration.ts";
import { advice, diagnose, type Finding, symptoms, unseen } from "./findings.ts";
import { place } from "./readings.ts";
import { gather, type Snapshot } from "./snapshot.ts";

/** Runs the command with its arguments; gives its exit status. */
export async function diagnoseCommand(args: string[]) {
  const { values } = parseArgs({
    args,
    options: { window: { type: "string", default: "2m" }, json: { type: "boolean", default: false } },
  });
  const window = parseDuration(values.window);
  if (!(window >= 20 && window <= 3600))
    throw new UserError(`--window ${values.window} is not possible`, "20s to 60m; recent troubles need a short one");
  viaLab([]); // without hosts there is nothing to diagnose
  const snapshot = await gather(window);
  const findings = diagnose(snapshot);
  const noticed = symptoms(snapshot);
  const dark = unseen(snapshot, findings);
  const prometheus = "error" in snapshot.metrics ? String(snapshot.metrics.error) : null;
  const status = findings.length + noticed.length + dark.length > 0 ? 1 : 0;
  const advised = advice(snapshot) ?? null;
  const result = { at: snapshot.at, window, prometheus, unseen: dark, symptoms: noticed, findings, advice: advised };
  const lines = [...preface(prometheus, dark, noticed), ...body(snapshot, findings, status === 0)];
  if (values.json) console.log(JSON.stringify(result, null, 2));
  else console.log([...lines, ...(advised === null ? [] : [`\nAdvice: ${advised}`])].join("\n"));
  return status;
}

function preface(prometheus: string | null, dark: string[], noticed: string[]): string[] {
  const alone = `Without Prometheus (${prometheus}): the hosts say how it is now, nobody says since when.`;
  return [...(prometheus ? [alone] : []), ...dark, ...noticed.map((each) => `Visitors notice: ${each}.`)];
}

function body(snapshot: Snapshot, findings: Finding[], well: boolean): string[] {
  if (findings.length > 0) return findings.flatMap((each, i) => describe(snapshot, each, i));
  if (well) return ["Nothing is wrong."];
  return [
    "It is none of the causes known here, or it has ended within the window. Next:",
    "  npm run diagnose -- --window 20s",
    "  docs/runbook.md",
    "  npm run verify",
    "  npm run logs",
  ];
}

/** The lines of a finding, the i-th. */
export function describe(snapshot: Snapshot, finding: Finding, i: number): string[] {
  const { title, app, hosts, evidence, since, explains, next, runbook } = finding;
  const where = place(snapshot, app ?? undefined, hosts.join(", "));
  // As npm run logs writes it.
  const at = (seconds: number) => new Date(seconds * 1000).toISOString().slice(5, 19).replace("T", " ");
  const when = since === undefined ? "" : `, since ${at(since)} UTC`;
  return [
    `\n${i + 1}. ${title}${where ? `: ${where}` : ""}${when}`,
    ...evidence.map((each) => `   - ${each}`),
    ...(explains.length > 0 ? [`   It explains: ${explains.join("; ")}`] : []),
    `   Next (${runbook}):`,
    ...next.map((each) => `     ${each}`),
  ];
}
