/** Reads a snapshot: the hosts of a group, the report of each, and the series of Prometheus. No effects. */
import type {
  Balancer,
  HostReport,
  Postgres,
  Probe,
  QueryName,
  QueryResults,
  Redis,
  Snapshot,
  TimeSeries,
  Unavailable,
} from "./snapshot.ts";

export const isAvailable = <T>(part: T | Unavailable | undefined): part is Exclude<T, Unavailable> =>
  part !== undefined && !(typeof part === "object" && part !== null && "error" in part);
export const isAnswer = (probe: Probe): probe is number => typeof probe === "number";
/** What PostgreSQL says when it has no session left even for its superuser. */
export const full = (part: Postgres | Unavailable | undefined): string | undefined =>
  part && "error" in part && /too many clients|remaining connection slots/.test(part.error) ? part.error : undefined;

export const inGroup = (s: Snapshot, group: string): string[] =>
  s.hosts.filter(({ groups }) => groups.includes(group)).map(({ name }) => name);
export const reportOf = (s: Snapshot, host: string): HostReport | undefined => {
  const report = s.hosts.find(({ name }) => name === host)?.report;
  return isAvailable(report) ? (report as HostReport) : undefined;
};
type Stores = { redis: Redis; postgres: Postgres };
/** The hosts with such a store, each with its report; without the hosts that reported nothing. */
export const storesOf = <Kind extends keyof Stores>(s: Snapshot, kind: Kind): ({ host: string } & Stores[Kind])[] =>
  inGroup(s, kind).flatMap((host) => {
    const store = reportOf(s, host)?.[kind];
    return isAvailable(store) ? [{ host, ...(store as Stores[Kind]) }] : [];
  });
export const whyNot = (s: Snapshot, host: string): string => {
  const report = s.hosts.find(({ name }) => name === host)?.report;
  return report && "error" in report ? report.error : "";
};
export const balancerOf = (s: Snapshot): Balancer | undefined =>
  s.hosts.map(({ name }) => reportOf(s, name)?.balancer).find((each): each is Balancer => isAvailable(each));
export const probesOf = (s: Snapshot, host: string): Probe[] => balancerOf(s)?.probes[host] ?? [];
/** A backend that was drained is out of turn on purpose. */
export const inRotation = (s: Snapshot): string[] =>
  inGroup(s, "backends").filter((host) => !balancerOf(s)?.drained.includes(host));

export const metrics = (s: Snapshot): QueryResults => (isAvailable(s.metrics) ? (s.metrics as QueryResults) : {});
export const seriesOf = (s: Snapshot, name: QueryName, key: string): TimeSeries => metrics(s)[name]?.[key] ?? [];
export const last = (series: TimeSeries): number | undefined => series.at(-1)?.[1];

/** When the stretch of bad values began in which a series ends; undefined if it does not end badly. */
export function since(series: TimeSeries, bad: (value: number) => boolean): number | undefined {
  const good = series.findLastIndex(([, value]) => !bad(value));
  return series[good + 1]?.[0];
}
export const onset = (s: Snapshot, name: QueryName, key: string, bad: (value: number) => boolean) =>
  since(seriesOf(s, name, key), bad);

export const sum = (values: number[]): number => values.reduce((all, each) => all + each, 0);
