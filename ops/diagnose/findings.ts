/** The causes that a snapshot has evidence of: causes apart from their symptoms. No effects. */
import { adviceOn } from "../../app/web/metrics/scaling.ts";
import { causes } from "./causes/index.ts";
import { type CauseName, causeNames, type Evidence } from "./causes/types.ts";
import { ms, percent } from "./format.ts";
import { balancerOf, inGroup, inRotation, last, place, seriesOf } from "./readings.ts";
import type { Requests, Snapshot, Unavailable } from "./snapshot.ts";

/** A cause that applies, with its evidence and the causes that it explains. */
export type Finding = {
  cause: CauseName;
  title: string;
  /** The app that it is about; null where it is about hosts, or about a store of all. */
  app: string | null;
  hosts: string[];
  evidence: string[];
  since?: number;
  next: string[];
  runbook: string;
  explains: string[];
};

type One = Evidence & { cause: CauseName };

/** The causes of a snapshot's symptoms, most likely first: the causes that explain most, then in the order of their names' list. */
export function diagnose(s: Snapshot): Finding[] {
  const all = causeNames.flatMap((cause) => causes[cause].detect(s).map((evidence): One => ({ cause, ...evidence })));
  const why = (one: One): One | undefined =>
    one.isRootCause
      ? undefined
      : all.find((other) => {
          const where = causes[one.cause].explainedBy[other.cause];
          if (where === "here") return other.host === one.host && (!other.app || other.app === one.app);
          return where === "anywhere" && concerns(s, other, one);
        });
  /** Only a root cause explains; a chain of symptoms ends at its root. */
  const root = (one: One, depth = 0): One | undefined => {
    const above = why(one);
    return above && depth < causeNames.length ? (root(above, depth + 1) ?? above) : undefined;
  };
  const findings = causeNames.flatMap((cause) => {
    const mine = all.filter((one) => one.cause === cause && !root(one));
    const groups = Map.groupBy(mine, (one) => (isOfHost(s, one, mine) ? undefined : one.app));
    return [...groups].map(([app, group]): Finding => {
      const hosts = [...new Set(group.flatMap(({ host }) => host ?? []))];
      const since = group.flatMap((one) => one.since ?? []).toSorted((a, b) => a - b)[0];
      const explained = all.filter((one) => group.includes(root(one) as One));
      return {
        cause,
        title: causes[cause].title,
        app: app ?? null,
        hosts,
        evidence: distinct(
          group.flatMap((one) => {
            const others = app === undefined ? group.filter(({ host }) => host === one.host) : [];
            return one.evidence.map((text) => {
              const common = others.every(({ evidence }) => evidence.includes(text));
              const of = [common ? "" : one.app, hosts.length > 1 ? one.host : ""].filter(Boolean).join(" on ");
              return of ? `${of}: ${text}` : text;
            });
          }),
        ),
        ...(since !== undefined && { since }),
        next: distinct(
          group.flatMap((one) =>
            (one.next ?? causes[cause].next).flatMap((each) => (one.host ? fill(each, one, s) : [])),
          ),
        ),
        runbook: `docs/runbook.md#${causes[cause].runbook}`,
        explains: distinct(
          explained.map((one) => {
            const where = place(s, one.app, one.host ?? "");
            return `${causes[one.cause].title}${where ? ` (${where})` : ""}`;
          }),
        ),
      };
    });
  });
  return findings.toSorted((a, b) => b.explains.length - a.explains.length);
}

/** Whether two causes may be about the same app; one of a shared store is about the apps that have such a store. */
function concerns(s: Snapshot, other: One, one: One): boolean {
  if (other.app && one.app) return other.app === one.app;
  const { store } = causes[other.cause];
  const app = s.apps.find(({ name }) => name === one.app);
  return !store || !app || app.stores.includes(store);
}

const distinct = (texts: string[]): string[] => [...new Set(texts)];

/** Whether several apps of its host have this cause there, and among them every one in rotation: then it is the host's. */
function isOfHost(s: Snapshot, { cause, host }: One, mine: One[]): boolean {
  const apps = mine.flatMap((other) => (other.host === host ? (other.app ?? []) : []));
  const served = s.apps.filter((app) => host !== undefined && inRotation(s, app).includes(host));
  return causes[cause].ofHost === true && apps.length > 1 && served.every(({ name }) => apps.includes(name));
}

/** The symptoms that visitors notice, if they do, in one sentence each: of all apps together, and of each by the bounds of its alerts. */
export function symptoms(s: Snapshot): string[] {
  const balancer = balancerOf(s);
  if (!balancer) return ["the balancer cannot be asked"];
  const apps = s.apps.length > 1 ? Object.entries(balancer.apps) : [];
  return [
    ...noticed(balancer, 0.01, 0.2),
    ...apps.flatMap(([name, requests]) => noticed(requests, 0.05, 1).map((each) => `${name}: ${each}`)),
  ];
}

function noticed({ requests, failed, p95 }: Requests, mostFailed: number, slowest: number): string[] {
  const sentences: string[] = [];
  if (failed > mostFailed * requests)
    sentences.push(`${percent(failed / requests)} of ${requests} requests got a 5xx (${mostFailed * 100} % is bad)`);
  if (p95 !== null && p95 > slowest && requests >= 20)
    sentences.push(`one request in 20 took over ${ms(p95)} (${ms(slowest)} is bad)`);
  return sentences;
}

/** The advice on the number of backends, which is no symptom; undefined where there is none. */
export const advice = (s: Snapshot): string | undefined =>
  adviceOn(inGroup(s, "backends").length, {
    steady: last(seriesOf(s, "steady", "")),
    peak: last(seriesOf(s, "peak", "")),
  });

/** The parts that could not be inspected, a sentence each, without a finding's evidence and without Prometheus (see `metrics`). */
export function unseen(s: Snapshot, findings: Finding[]): string[] {
  const reported = findings.flatMap(({ evidence }) => evidence).join("\n");
  const parts = s.hosts.flatMap(({ name, report }): [string, unknown][] => {
    if ("error" in report) return [[name, report]];
    const { services, redis, ...others } = report;
    return [
      ...Object.entries(services ?? {}).map(([app, of]): [string, unknown] => [
        `service of ${place(s, app, name)}`,
        of,
      ]),
      ...Object.entries({ ...redis, ...others }).map(([part, of]): [string, unknown] => [`${part} of ${name}`, of]),
    ];
  });
  return parts.flatMap(([what, of]) => {
    const { error } = of as Partial<Unavailable>;
    return error === undefined || reported.includes(error) || of === s.metrics
      ? []
      : [`${what} could not be inspected: ${error}`];
  });
}

function fill(text: string, { host = "", app: name }: One, s: Snapshot): string {
  const app = s.apps.find((each) => each.name === name);
  const redis = s.redis.find((each) => each.app === name) ?? s.redis[0];
  const values = {
    REDIS_UNIT: redis?.unit,
    REDIS_CLI: redis?.cli,
    REDIS_FOLDER: redis?.folder,
    REDIS_MEMORY: redis?.app ? `redis: {memory: MiB} of ${name} in apps.yml` : "redis_max_memory",
    DATABASE: inGroup(s, "postgres")[0],
    BALANCER: inGroup(s, "balancers")[0],
    HOST: host,
    APP: name,
    UNIT: app?.unit,
    USER: app?.user,
  };
  return Object.entries(values).reduce((filled, [word, value]) => filled.replaceAll(word, value ?? ""), text);
}
