/** Reads a snapshot: the hosts of a group, the report of each, the parts of an app, and the series of Prometheus. No effects. */
import type {
  Balancer,
  HostReport,
  Judged,
  Postgres,
  Probe,
  QueryName,
  QueryResults,
  Redis,
  RedisServer,
  RoleReport,
  Service,
  Snapshot,
  TimeSeries,
  Traffic,
  Unavailable,
} from "./snapshot.ts";

/** A snapshot as one app sees it. */
export type View = Snapshot & { app: Judged };

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
/** Every Redis of every host, each with its report: undefined where the host gave none. */
export const redisOf = (s: Snapshot): { host: string; server: RedisServer; redis: Redis | Unavailable | undefined }[] =>
  inGroup(s, "redis").flatMap((host) =>
    s.redis.map((server) => ({ host, server, redis: reportOf(s, host)?.redis?.[server.unit] })),
  );
/** The PostgreSQL of the app, with all that it reports of the app's role; without the hosts that reported nothing. */
export const databasesOf = (s: View): ({ host: string; role: string } & Postgres & RoleReport)[] =>
  inGroup(s, "postgres").flatMap((host) => {
    const server = reportOf(s, host)?.postgres;
    const role = s.app.database ?? "";
    const report = isAvailable(server) ? server.roles[role] : undefined;
    return isAvailable(server) && report ? [{ host, role, ...server, ...report }] : [];
  });
export const serviceOf = (s: View, host: string): Service | undefined => {
  const service = reportOf(s, host)?.services?.[s.app.name];
  return isAvailable(service) ? service : undefined;
};
export const whyNot = (s: Snapshot, host: string): string => {
  const report = s.hosts.find(({ name }) => name === host)?.report;
  return report && "error" in report ? report.error : "";
};
export const balancerOf = (s: Snapshot): Balancer | undefined =>
  s.hosts.map(({ name }) => reportOf(s, name)?.balancer).find((each): each is Balancer => isAvailable(each));
export const trafficOf = (s: View): Traffic | undefined => balancerOf(s)?.apps[s.app.name];
export const probesOf = (s: View, host: string): Probe[] => trafficOf(s)?.probes[host] ?? [];
/** A backend that was drained, as a whole or for the app, is out of turn on purpose. */
export const inRotation = (s: Snapshot, { name, hosts }: Judged): string[] =>
  hosts.filter((host) => ![host, `${host}/${name}`].some((entry) => balancerOf(s)?.drained.includes(entry)));

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
/** The key of an app's series on a host. */
export const ofApp = (s: View, host: string): string => `${s.app.name} ${host}`;

/** The words for an app on hosts; one app alone is not named. */
export const place = (s: Snapshot, app: string | undefined, hosts: string): string =>
  [s.apps.length > 1 ? app : "", hosts].filter(Boolean).join(" on ");

export const sum = (values: number[]): number => values.reduce((all, each) => all + each, 0);
