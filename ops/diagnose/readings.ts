/** Reads a snapshot: the hosts of a group, what each reported, and the series of Prometheus. No effects. */
import type {
  Balancer,
  Curve,
  Failed,
  Figures,
  Postgres,
  Probe,
  QueryName,
  Redis,
  Seen,
  Snapshot,
} from "./snapshot.ts";

export const isThere = <T>(part: T | Failed | undefined): part is Exclude<T, Failed> =>
  part !== undefined && !(typeof part === "object" && part !== null && "error" in part);
export const isAnswer = (probe: Probe): probe is number => typeof probe === "number";
/** What PostgreSQL says when it has no session left even for its superuser. */
export const full = (part: Postgres | Failed | undefined): string | undefined =>
  part && "error" in part && /too many clients|remaining connection slots/.test(part.error) ? part.error : undefined;

export const inGroup = (s: Snapshot, group: string): string[] =>
  s.hosts.filter(({ groups }) => groups.includes(group)).map(({ name }) => name);
export const seenOf = (s: Snapshot, host: string): Seen | undefined => {
  const seen = s.hosts.find(({ name }) => name === host)?.seen;
  return isThere(seen) ? (seen as Seen) : undefined;
};
type Stores = { redis: Redis; postgres: Postgres };
/** The hosts with such a store, each with what it shows; without those of which nothing could be seen. */
export const storesOf = <Kind extends keyof Stores>(s: Snapshot, kind: Kind): ({ host: string } & Stores[Kind])[] =>
  inGroup(s, kind).flatMap((host) => {
    const store = seenOf(s, host)?.[kind];
    return isThere(store) ? [{ host, ...(store as Stores[Kind]) }] : [];
  });
export const whyNot = (s: Snapshot, host: string): string => {
  const seen = s.hosts.find(({ name }) => name === host)?.seen;
  return seen && "error" in seen ? seen.error : "";
};
export const balancerOf = (s: Snapshot): Balancer | undefined =>
  s.hosts.map(({ name }) => seenOf(s, name)?.balancer).find((each): each is Balancer => isThere(each));
export const probesOf = (s: Snapshot, host: string): Probe[] => balancerOf(s)?.probes[host] ?? [];
/** A backend that was drained is out of turn on purpose. */
export const inRotation = (s: Snapshot): string[] =>
  inGroup(s, "backends").filter((host) => !balancerOf(s)?.drained.includes(host));

export const figures = (s: Snapshot): Figures => (isThere(s.figures) ? (s.figures as Figures) : {});
export const curveOf = (s: Snapshot, name: QueryName, key: string): Curve => figures(s)[name]?.[key] ?? [];
export const last = (curve: Curve): number | undefined => curve.at(-1)?.[1];

/** When the stretch of bad values began in which a curve ends; undefined if it does not end badly. */
export function since(curve: Curve, bad: (value: number) => boolean): number | undefined {
  const good = curve.findLastIndex(([, value]) => !bad(value));
  return curve[good + 1]?.[0];
}
export const onset = (s: Snapshot, name: QueryName, key: string, bad: (value: number) => boolean) =>
  since(curveOf(s, name, key), bad);

export const sum = (values: number[]): number => values.reduce((all, each) => all + each, 0);
