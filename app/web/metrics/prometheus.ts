// Queries to Prometheus, and their results in the shape that the page draws.
import { combinedQuery, metrics } from "./definitions.ts";

/** A curve: one line of a metric, of one host where it has hosts; `now` is its newest value, null for none. */
export type Curve = { name: string; host: string; dashed: boolean; values: (number | null)[]; now: number | null };
/** Planned work, or the first requests of a release; times in seconds, `to` is null while the work lasts. */
export type Mark = { kind: string; text: string; from: number; to: number | null };
export type Alert = { name: string; severity: string; summary: string; since: number; state: string };
export type Target = { job: string; name: string };
export type State = {
  times: number[];
  curves: Map<string, Curve[]>;
  marks: Mark[];
  alerts: Alert[];
  targets: number;
  down: Target[];
  /** The names of the apps that are measured. */
  apps: string[];
  /** Whether Grafana runs. */
  grafana: boolean;
};

type Series = { metric: Record<string, string>; values?: [number, string][]; value?: [number, string] };

async function get<T>(path: string, parameters: Record<string, string>, signal: AbortSignal): Promise<T> {
  const answer = await fetch(`/prometheus/api/v1/${path}?${new URLSearchParams(parameters)}`, { signal });
  const text = await answer.text();
  let body: { status?: string; error?: string; data?: T } = {};
  try {
    body = JSON.parse(text);
  } catch {
    // An error page of nginx: the status names the error.
  }
  if (body.status !== "success") throw new Error(body.error ?? `HTTP ${answer.status}`);
  return body.data as T;
}

const number = (text: string | undefined) => {
  const value = Number(text);
  return text === undefined || !Number.isFinite(value) ? null : value;
};

/** Seconds between two points of a range: at most 240 points, and no fewer seconds than between two scrapes. */
export const stepOf = (range: number) => Math.max(5, Math.ceil(range / 240));

/**
 * Queries all data of the page for the last `range` seconds, of one app or with "" of all. Rejects if Prometheus does not answer within
 * 10 s.
 */
export async function loadState(range: number, app: string, stale: AbortSignal): Promise<State> {
  const signal = AbortSignal.any([stale, AbortSignal.timeout(10_000)]);
  const step = stepOf(range);
  const now = Date.now() / 1000;
  // Whole steps, so that a point keeps its place and its value from one refresh to the next.
  const end = Math.floor(now / step) * step;
  const start = end - range;
  const [past, present, { alerts }] = await Promise.all([
    get<{ result: Series[] }>(
      "query_range",
      { query: combinedQuery(step, app), start: String(start), end: String(end), step: String(step) },
      signal,
    ),
    get<{ result: Series[] }>(
      "query",
      { query: `${combinedQuery(0, app)} or up or halo_event_timestamp_seconds or grafana:up` },
      signal,
    ),
    get<{ alerts: { labels: Record<string, string>; annotations: Record<string, string>; [key: string]: unknown }[] }>(
      "alerts",
      {},
      signal,
    ),
  ]);

  const times = Array.from({ length: Math.floor(range / step) + 1 }, (_, i) => start + i * step);
  // The newest value ends each curve: on a long range the last whole step is minutes ago.
  const fresh = now - end > step / 4;
  const column = (values: [number, string][] | undefined) => {
    const at = new Map(values?.map(([time, text]) => [time, number(text)]));
    return times.map((time) => at.get(time) ?? null);
  };
  const key = ({ metric: { line = "", host = "", release = "" } }: Series) => `${line} ${host} ${release}`;
  const latest = new Map(present.result.map((series) => [key(series), number(series.value?.[1])]));
  const seen = new Map([...present.result, ...past.result].map((series) => [key(series), series]));
  const curves = new Map<string, Curve[]>(metrics.map(({ id }) => [id, []]));
  for (const [identity, series] of [...seen].sort(([one], [other]) => one.localeCompare(other))) {
    const [id = "", line] = (series.metric.line ?? "").split(" ");
    const kind = metrics.find((each) => each.id === id)?.lines[Number(line)];
    if (!kind) continue;
    const value = latest.get(identity) ?? null;
    curves.get(id)?.push({
      name: app && kind.name === "site" ? app : kind.name,
      host: series.metric.host ?? "",
      dashed: kind.dashed ?? false,
      values: fresh ? [...column(series.values), value] : column(series.values),
      now: value,
    });
  }

  const releases = past.result
    .filter(({ metric }) => metric.line === "release")
    .map(({ metric, values }) => ({ name: metric.release ?? "", serves: column(values) }));
  const named = (name: string) => present.result.filter(({ metric }) => metric.__name__ === name);
  const up = named("up");
  return {
    times: fresh ? [...times, now] : times,
    curves,
    marks: [...changes(times, releases), ...events(named("halo_event_timestamp_seconds"))]
      .filter(({ from, to }) => (to ?? from) >= start)
      .sort((one, other) => other.from - one.from),
    alerts: alerts
      .filter(({ labels }) => labels.alertname !== "Watchdog")
      .map(({ labels, annotations, state, activeAt }) => ({
        name: labels.alertname ?? "",
        severity: labels.severity ?? "warning",
        summary: annotations.summary ?? "",
        since: Date.parse(String(activeAt)) / 1000,
        state: String(state),
      })),
    apps: [...new Set(up.flatMap(({ metric }) => (metric.job === "service" && metric.app ? [metric.app] : [])))].sort(),
    targets: up.length,
    down: up
      .filter(({ value }) => value?.[1] === "0")
      .map(({ metric }) => ({ job: metric.job ?? "", name: metric.instance ?? metric.host ?? "" }))
      .sort((one, other) => `${one.name} ${one.job}`.localeCompare(`${other.name} ${other.job}`)),
    grafana: named("grafana:up").length > 0,
  };
}

/** The points at which a release begins to serve while another one served just before; a returning backend is none. */
export function changes(times: number[], releases: { name: string; serves: (number | null)[] }[]): Mark[] {
  return releases.flatMap(({ name, serves }) =>
    times.flatMap((time, i) => {
      const begins = i > 0 && serves[i] !== null && serves[i - 1] === null;
      return begins && releases.some((other) => other.serves[i - 1] !== null)
        ? [{ kind: "release", text: name, from: time, to: null }]
        : [];
    }),
  );
}

/** Pairs the beginnings and ends of planned work; an end belongs to the last beginning of its kind and text before it. */
export function events(series: Series[]): Mark[] {
  const moments = series
    .map(({ metric: { kind = "", text = "", edge }, value }) => ({
      kind,
      text,
      ends: edge === "end",
      at: number(value?.[1]) ?? 0,
    }))
    .sort((one, other) => one.at - other.at);
  const marks: Mark[] = [];
  for (const { kind, text, ends, at } of moments) {
    const open = marks.findLast((mark) => mark.kind === kind && mark.text === text && mark.to === null);
    if (ends && open) open.to = at;
    else marks.push({ kind, text, from: at, to: null });
  }
  return marks;
}
