// Queries to Prometheus, and their results in the shape that the page draws.
import { combinedQuery, metrics } from "./definitions.ts";
import { adviceOn, loadQueries } from "./scaling.ts";

/** A curve: one line of a metric, of one host where it has hosts; `now` is its newest value, null for none. */
export type Curve = { name: string; host: string; dashed: boolean; values: (number | null)[]; now: number | null };
/** Planned work, or the begin of a release; times in seconds, `to` is null while the work lasts. */
export type Mark = { kind: string; text: string; from: number; to: number | null };
/** `since` is in seconds; `section` is the one of the runbook, "" for none. */
export type Alert = {
  name: string;
  severity: string;
  summary: string;
  section: string;
  since: number;
  state: string;
};
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
  /** On the number of backends, if there is any. */
  advice: string | undefined;
};

type Series = { metric: Record<string, string>; values?: [number, string][]; value?: [number, string] };

async function get<T>(path: string, parameters: Record<string, string>, signal: AbortSignal): Promise<T> {
  const answer = await fetch(`${location.origin}/prometheus/api/v1/${path}?${new URLSearchParams(parameters)}`, {
    signal,
  });
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

/** Seconds for which marks are known: the longest range. */
const DAY = 86_400;
/** Points that are queried twice, because a sample may arrive a moment after its time. */
const OVERLAP = 2;

type Labels = Series["metric"];
/** A begin or an end of planned work, at a time in seconds; `begin` is the time of the begin that it belongs to. */
export type Moment = { kind: string; text: string; edge: string; begin: number; at: number };

/** The data of the page, kept from one refresh to the next, so that a refresh queries the new points alone. */
export class Recent {
  #range = 0;
  #app = "";
  /** The newest point; 0 before the first answer. */
  #end = 0;
  readonly #series = new Map<string, { metric: Labels; values: Map<number, number | null> }>();
  readonly #moments = new Map<string, Moment>();

  /**
   * Loads the last `range` seconds of one app, or with "" of all. Rejects, and keeps the data that it has, where Prometheus does not
   * answer within 10 s or `stale` is aborted.
   */
  async load(range: number, app: string, stale: AbortSignal): Promise<State> {
    const signal = AbortSignal.any([stale, AbortSignal.timeout(10_000)]);
    const step = stepOf(range);
    const now = Date.now() / 1000;
    // Whole steps, so that a point keeps its place and its value from one refresh to the next.
    const end = Math.floor(now / step) * step;
    const start = end - range;
    const known = range === this.#range && app === this.#app && this.#end >= start && this.#end <= end;
    const from = known ? Math.max(start, this.#end - OVERLAP * step) : start;
    const newest = Math.max(0, ...[...this.#moments.values()].map(({ at }) => at));
    // The host offers its last marks only; Prometheus has seen the earlier ones as well.
    const gauge = "halo_event_timestamp_seconds";
    const moments = newest > 0 ? `${gauge} >= ${newest}` : `last_over_time(${gauge}[${DAY}s])`;
    const others = Object.entries({ moment: moments, ...loadQueries }).map(
      ([line, query]) => `label_replace(${query}, "line", "${line}", "", "")`,
    );
    const instant = [combinedQuery(0, app), "up", "grafana:up", ...others].join(" or ");
    const [past, present, { alerts }] = await Promise.all([
      get<{ result: Series[] }>(
        "query_range",
        { query: combinedQuery(step, app), start: String(from), end: String(end), step: String(step) },
        signal,
      ),
      get<{ result: Series[] }>("query", { query: instant }, signal),
      get<{ alerts: { labels: Labels; annotations: Labels; [key: string]: unknown }[] }>("alerts", {}, signal),
    ]);
    signal.throwIfAborted();

    if (!known) this.#series.clear();
    this.#range = range;
    this.#app = app;
    this.#end = end;
    this.#keep(past.result, start);
    for (const { metric, value } of present.result) this.#remember(metric, number(value?.[1]) ?? 0);
    for (const [key, { at }] of this.#moments) if (at < now - DAY) this.#moments.delete(key);

    const times = Array.from({ length: Math.floor(range / step) + 1 }, (_, i) => start + i * step);
    // The newest value ends each curve: on a long range the last whole step is minutes ago.
    const fresh = now - end > step / 4;
    const column = (values: Map<number, number | null>) => times.map((time) => values.get(time) ?? null);
    const latest = new Map(present.result.map(({ metric, value }) => [keyOf(metric), number(value?.[1])]));
    const seen = new Map(present.result.map(({ metric }) => [keyOf(metric), metric]));
    for (const [key, { metric }] of this.#series) seen.set(key, metric);
    const curves = new Map<string, Curve[]>(metrics.map(({ id }) => [id, []]));
    for (const [key, metric] of [...seen].sort(([one], [other]) => one.localeCompare(other))) {
      const [id = "", line] = (metric.line ?? "").split(" ");
      const kind = metrics.find((each) => each.id === id)?.lines[Number(line)];
      if (!kind) continue;
      const value = latest.get(key) ?? null;
      const values = column(this.#series.get(key)?.values ?? new Map());
      curves.get(id)?.push({
        name: app && kind.name === "site" ? app : kind.name,
        host: metric.host ?? "",
        dashed: kind.dashed ?? false,
        values: fresh ? [...values, value] : values,
        now: value,
      });
    }

    const releases = [...this.#series.values()]
      .filter(({ metric }) => metric.line === "release")
      .map(({ metric, values }) => ({ app: metric.app ?? "", name: metric.release ?? "", began: column(values) }));
    const named = (name: string) => present.result.filter(({ metric }) => metric.__name__ === name);
    const up = named("up");
    const backends = new Set(up.flatMap(({ metric: { job, host } }) => (job === "service" && host ? [host] : [])));
    const load = (line: keyof typeof loadQueries) => latest.get(keyOf({ line })) ?? undefined;
    return {
      times: fresh ? [...times, now] : times,
      curves,
      marks: [...changes(releases), ...events([...this.#moments.values()])]
        .filter(({ from, to }) => (to ?? from) >= start)
        .sort((one, other) => other.from - one.from),
      alerts: alerts
        .filter(({ labels }) => labels.alertname !== "Watchdog")
        .map(({ labels, annotations, state, activeAt }) => ({
          name: labels.alertname ?? "",
          severity: labels.severity ?? "warning",
          summary: annotations.summary ?? "",
          section: annotations.runbook?.match(/^docs\/runbook\.md#([a-z]+)$/)?.[1] ?? "",
          since: Date.parse(String(activeAt)) / 1000,
          state: String(state),
        })),
      apps: [
        ...new Set(up.flatMap(({ metric }) => (metric.job === "service" && metric.app ? [metric.app] : []))),
      ].sort(),
      targets: up.length,
      down: up
        .filter(({ value }) => value?.[1] === "0")
        .map(({ metric }) => ({ job: metric.job ?? "", name: metric.instance ?? metric.host ?? "" }))
        .sort((one, other) => `${one.name} ${one.job}`.localeCompare(`${other.name} ${other.job}`)),
      grafana: named("grafana:up").length > 0,
      advice: adviceOn(backends.size, { steady: load("steady"), peak: load("peak") }),
    };
  }

  /** Adds points, and forgets those before `start`. */
  #keep(result: Series[], start: number): void {
    for (const { metric, values = [] } of result) {
      const key = keyOf(metric);
      const kept = this.#series.get(key) ?? { metric, values: new Map<number, number | null>() };
      for (const [time, text] of values) kept.values.set(time, number(text));
      this.#series.set(key, kept);
    }
    for (const [key, { values }] of this.#series) {
      for (const time of values.keys()) if (time < start) values.delete(time);
      if (values.size === 0) this.#series.delete(key);
    }
  }

  /** Adds a moment. One without the time of its begin is an older Halo's, and nothing pairs it. */
  #remember({ line, kind = "", text = "", edge = "", begin }: Labels, at: number): void {
    if (line !== "moment" || !begin) return;
    this.#moments.set(`${kind} ${begin} ${edge} ${text}`, { kind, text, edge, begin: Number(begin), at });
  }
}

const keyOf = ({ line = "", host = "", app = "", release = "" }: Labels) => `${line} ${host} ${app} ${release}`;

/**
 * The begins of releases that replace another one of their app; a backend that returns is none. `began` has, for each point at which
 * a release serves, the time of its begin, so that a mark has the same time in every range.
 */
export function changes(releases: { app: string; name: string; began: (number | null)[] }[]): Mark[] {
  return releases.flatMap(({ app, name, began }) =>
    began.flatMap((from, i) => {
      const replaces = (other: (typeof releases)[number]) => other.app === app && other.began[i - 1] !== null;
      return i > 0 && from !== null && began[i - 1] === null && releases.some(replaces)
        ? [{ kind: "release", text: name, from, to: null }]
        : [];
    }),
  );
}

/** One mark for each begin. An end names its begin, so it is a whole mark by itself. */
export function events(moments: Moment[]): Mark[] {
  const marks = new Map<string, Mark>();
  for (const { kind, text, edge, begin, at } of moments) {
    const key = `${kind} ${begin} ${text}`;
    const to = edge === "end" ? at : (marks.get(key)?.to ?? null);
    marks.set(key, { kind, text, from: begin, to });
  }
  return [...marks.values()];
}
