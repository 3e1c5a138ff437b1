/** The causes that a snapshot has evidence of: causes apart from their symptoms. No effects. */
import { causes } from "./causes/index.ts";
import { type CauseName, causeNames } from "./causes/types.ts";
import { ms, percent } from "./format.ts";
import { balancerOf, inGroup } from "./readings.ts";
import type { Snapshot, Unavailable } from "./snapshot.ts";

/** A cause that applies, with its evidence and the causes that it explains. */
export type Finding = {
  cause: CauseName;
  title: string;
  hosts: string[];
  evidence: string[];
  since?: number;
  next: string[];
  runbook: string;
  explains: string[];
};

/** The causes of a snapshot's symptoms, most likely first: the causes that explain most, then in the order of their names' list. */
export function diagnose(s: Snapshot): Finding[] {
  const all = causeNames.flatMap((cause) => causes[cause].detect(s).map((evidence) => ({ cause, ...evidence })));
  type One = (typeof all)[number];
  const why = (one: One): One | undefined =>
    one.isRootCause
      ? undefined
      : all.find((other) => {
          const where = causes[one.cause].explainedBy[other.cause];
          return where === "anywhere" || (where === "here" && other.host === one.host);
        });
  /** Only a root cause explains; a chain of symptoms ends at its root. */
  const root = (one: One, depth = 0): One | undefined => {
    const above = why(one);
    return above && depth < causeNames.length ? (root(above, depth + 1) ?? above) : undefined;
  };
  const findings = causeNames.flatMap((cause): Finding[] => {
    const mine = all.filter((one) => one.cause === cause && !root(one));
    if (mine.length === 0) return [];
    const { title, next, runbook } = causes[cause];
    const hosts = [...new Set(mine.flatMap(({ host }) => host ?? []))];
    const since = mine.flatMap((one) => one.since ?? []).toSorted((a, b) => a - b)[0];
    const explained = all.filter((one) => root(one)?.cause === cause);
    return [
      {
        cause,
        title,
        hosts,
        evidence: mine.flatMap(({ host, evidence }) =>
          evidence.map((each) => (hosts.length > 1 ? `${host}: ${each}` : each)),
        ),
        ...(since !== undefined && { since }),
        next: mine
          .flatMap(({ host, next: own = next }) => (host ? own.map((each) => fill(each, host, s)) : []))
          .filter((each, i, list) => list.indexOf(each) === i),
        runbook: `docs/runbook.md#${runbook}`,
        explains: [...new Set(explained.map((one) => `${causes[one.cause].title}${one.host ? ` (${one.host})` : ""}`))],
      },
    ];
  });
  return findings.toSorted((a, b) => b.explains.length - a.explains.length);
}

/** The symptoms that visitors notice, if they do, in one sentence each. */
export function symptoms(s: Snapshot): string[] {
  const balancer = balancerOf(s);
  if (!balancer) return ["the balancer cannot be asked"];
  const { requests, failed, p95 } = balancer;
  const sentences: string[] = [];
  if (failed > 0.01 * requests)
    sentences.push(`${percent(failed / requests)} of ${requests} requests got a 5xx (1 % is bad)`);
  if (p95 !== null && p95 > 0.2 && requests >= 20)
    sentences.push(`one request in 20 took over ${ms(p95)} (200 ms is bad)`);
  return sentences;
}

/** The parts that could not be inspected, a sentence each, without a finding's evidence and without Prometheus (see `metrics`). */
export function unseen(s: Snapshot, findings: Finding[]): string[] {
  const reported = findings.flatMap(({ evidence }) => evidence).join("\n");
  const parts = s.hosts.flatMap(({ name, report }): [string, unknown][] =>
    "error" in report ? [[name, report]] : Object.entries(report).map(([part, of]) => [`${part} of ${name}`, of]),
  );
  return parts.flatMap(([what, of]) => {
    const { error } = of as Partial<Unavailable>;
    return error === undefined || reported.includes(error) || of === s.metrics
      ? []
      : [`${what} could not be inspected: ${error}`];
  });
}

const fill = (text: string, host: string, s: Snapshot) =>
  text
    .replaceAll("HOST", host)
    .replaceAll("APP", s.app.name)
    .replaceAll("UNIT", s.app.unit)
    .replaceAll("USER", s.app.user)
    .replaceAll("DATABASE", inGroup(s, "postgres")[0] ?? "")
    .replaceAll("BALANCER", inGroup(s, "balancers")[0] ?? "");
