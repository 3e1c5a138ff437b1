/** Computes a run's metrics. No effects: everything comes in as values. */
import { histogramQuantile, type LabelledValue } from "../cluster/prometheus.ts";
import { latencies, percentile, type Sample } from "../loadgen/sample.ts";

/**
 * The metrics of one side. Latencies in ms; errors as a share of the requests; CPU as cores, by backend. undefined where
 * that side cannot know.
 */
export type LoadMetrics = {
  requests: number;
  rate: number;
  p95?: number;
  errors: number;
  cpu?: Record<string, number>;
  database?: { mean: number; p95?: number };
};

/** No whole answer, or one that refuses. */
export const isFailure = (sample: Sample): boolean =>
  sample.status === 0 || sample.status >= 400 || sample.error !== undefined;

/** The client's metrics of some seconds; latencies from when each request was due. */
export const clientMetrics = (samples: Sample[], seconds: number): LoadMetrics => ({
  requests: samples.length,
  rate: samples.length / seconds,
  p95: percentile(latencies(samples), 0.95),
  errors: samples.filter(isFailure).length / Math.max(1, samples.length),
});

/**
 * The client's p95 as nginx and Prometheus would have measured it, in ms: from the sending, less the baseline latency between client and
 * nginx (ms), between two readings of a clock that counts whole ms, sorted into these buckets (upper bounds in s). What
 * nginx cannot see, such as an attempt without an answer, is left out.
 */
export function p95Like(samples: Sample[], buckets: number[], baselineLatency = 0): number | undefined {
  const seen = samples.filter(({ status }) => status > 0);
  const counts = new Map(buckets.map((bound) => [bound, 0]));
  for (const { at, ms, late } of seen) {
    const seconds = Math.max(0, Math.floor(at + ms - baselineLatency) - Math.floor(at + late)) / 1000;
    for (const bound of buckets) if (seconds <= bound) counts.set(bound, (counts.get(bound) ?? 0) + 1);
  }
  const quantile = histogramQuantile(0.95, counts);
  return quantile === undefined ? undefined : quantile * 1000;
}

/** Every counter that is of interest, by its series. */
export type Counters = Map<string, LabelledValue>;

/** Names the series of a query's result, so that two moments can be compared. */
export const counters = (series: LabelledValue[]): Counters =>
  new Map(series.map((each) => [JSON.stringify(Object.entries(each.labels).toSorted()), each]));

/** By how much each counter grew; one that was not there, or was reset, grew by all that it is. */
function growth(before: Counters, after: Counters): LabelledValue[] {
  return [...after].map(([key, { labels, value }]) => {
    const then = before.get(key)?.value ?? 0;
    return { labels, value: value >= then ? value - then : value };
  });
}

/** How many requests of a site nginx counted between two moments. */
export const counted = (site: string, before: Counters, after: Counters): number =>
  sum(growth(before, after), "edge_requests_total", { site });

const sum = (series: LabelledValue[], name: string, labels: Record<string, string> = {}) =>
  series
    .filter((each) => each.labels.__name__ === name)
    .filter((each) => Object.entries(labels).every(([label, value]) => each.labels[label] === value))
    .reduce((all, { value }) => all + value, 0);

/** Values of one histogram, cumulative by upper bound. */
function histogram(series: LabelledValue[], name: string, labels: Record<string, string> = {}): Map<number, number> {
  const counts = new Map<number, number>();
  for (const { le = "" } of series.filter((each) => each.labels.__name__ === `${name}_bucket`).map((s) => s.labels))
    counts.set(Number(le.replace("+Inf", "Infinity")), sum(series, `${name}_bucket`, { ...labels, le }));
  return counts;
}

/**
 * Prometheus' metrics: the growth of the counters between two scrapes, one before and one after the load.
 *
 * nginx logs whole ms and the buckets are some ms wide, so p95 is known to about 1 ms below 10 ms and to the width of its
 * bucket above: give the client's by p95Like beside it. The counters cover up to two scrapes more than the load. Rate and CPU
 * are per second of the load, so they include other clients' requests and an idle process' CPU time in those scrapes.
 *
 * @param seconds how long the load took
 */
export function prometheusMetrics(
  site: string,
  seconds: number,
  before: Counters,
  after: Counters,
): LoadMetrics & { buckets: number[] } {
  const grown = growth(before, after);
  const requests = sum(grown, "edge_requests_total", { site });
  const failed = grown
    .filter(({ labels }) => labels.__name__ === "edge_requests_total" && labels.site === site)
    .filter(({ labels }) => Number(labels.status) >= 400)
    .reduce((all, { value }) => all + value, 0);
  const seconds95 = (counts: Map<number, number>) => {
    const value = histogramQuantile(0.95, counts);
    return value === undefined ? undefined : value * 1000;
  };
  const edge = histogram(grown, "edge_request_seconds", { site });
  const queries = sum(grown, "postgres_query_duration_seconds_count");
  const workers = grown.filter(({ labels }) => labels.__name__ === "process_cpu_seconds_total");
  const hosts = [...new Set(workers.map(({ labels }) => labels.host ?? ""))].toSorted();
  const cpu = hosts.map((host) => [host, sum(workers, "process_cpu_seconds_total", { host }) / seconds] as const);
  return {
    requests,
    rate: requests / seconds,
    p95: seconds95(edge),
    errors: failed / Math.max(1, requests),
    buckets: [...edge.keys()].toSorted((a, b) => a - b),
    ...(cpu.length > 0 ? { cpu: Object.fromEntries(cpu) } : {}),
    ...(queries > 0
      ? {
          database: {
            mean: (sum(grown, "postgres_query_duration_seconds_sum") / queries) * 1000,
            p95: seconds95(histogram(grown, "postgres_query_duration_seconds")),
          },
        }
      : {}),
  };
}

/** Whether two values differ by more than a tenth and by more than the measuring error. */
export const disagree = (a: number, b: number, resolution: number): boolean =>
  Math.abs(a - b) > resolution && Math.abs(a - b) > 0.1 * Math.max(a, b);

/** One second of a run: requests that were due, how many failed, and latencies in ms. */
export type Second = { second: number; requests: number; failed: number; p50?: number; p95?: number };

/** The run second by second (or in wider steps, at most 600 of them). */
export function bySecond(samples: Sample[]): Second[] {
  const start = samples[0]?.at ?? 0;
  const end = samples.at(-1)?.at ?? 0;
  const step = Math.max(1, Math.ceil((end - start) / 1000 / 600));
  const groups = Array.from({ length: Math.floor((end - start) / 1000 / step) + 1 }, (): Sample[] => []);
  for (const sample of samples) groups[Math.floor((sample.at - start) / 1000 / step)]?.push(sample);
  return groups.map((group, i) => ({
    second: i * step,
    requests: group.length / step,
    failed: group.filter(isFailure).length / step,
    p50: percentile(latencies(group), 0.5),
    p95: percentile(latencies(group), 0.95),
  }));
}

/** Keys with how often each came, the most frequent first. */
export function tallyBy<T>(values: T[], key: (value: T) => string): [string, number][] {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(key(value), (counts.get(key(value)) ?? 0) + 1);
  return [...counts].toSorted(([, a], [, b]) => b - a);
}
