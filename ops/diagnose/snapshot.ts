/** What `npm run diagnose` knows of the cluster: two seconds of every host, and the last hour as Prometheus has it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { App } from "../cluster/apps.ts";
import { remote } from "../cluster/hosts.ts";
import { type Host, hosts } from "../cluster/inventory.ts";
import { portOf } from "../cluster/services.ts";
import { counterApp } from "../cluster/sites.ts";
import { UserError } from "../lib/cli.ts";
import { capture } from "../lib/exec.ts";
import { quote } from "../lib/script.ts";

/** Seconds since 1970. */
type Time = number;
export type Unit = { state: string; sub: string; pid: number; since: Time };
/** Seconds that an answer took, or why there was none: "refused", "silent" or the system's words. */
export type Probe = number | string;
export type Unavailable = { error: string };

export type Service = {
  unit: Unit;
  /** Processes, and how many of them were stopped by a signal. */
  workers: number;
  stopped: number;
  /**
   * Of the worker that wanted most: shares of the time in which it had a CPU, and in which it waited for one. The lower
   * median of four half seconds.
   */
  cpu: number;
  waited: number;
  /** Of /healthz, from the backend itself. */
  probes: Probe[];
  /** Why /readyz says that it is not ready. */
  unready?: string | null;
  /** Share of the time in which its cgroup, or one above, was not let run. */
  throttled: number;
  quota?: string;
  /** Bytes. */
  memory?: { used: number; limit: number | null };
};
export type Redis = {
  unit: Unit;
  answers: boolean;
  persistence: Record<string, string>;
  folder: string;
  /** In the window. */
  writeErrors: number;
  /** Where it does not answer: its last words on data that it cannot read. */
  words: string[];
  /** In the folder of its append-only file. */
  files: string[];
  /** The address of its master, where it is a replica. */
  replicaOf: string | null;
  /** Bytes; a limit of 0 is none. */
  memory: { used: number; limit: number } | null;
};
export type Session = {
  pid: number;
  app: string;
  role: string;
  state: string;
  seconds: number;
  event: string | null;
  query: string;
};
export type Postgres = {
  unit: Unit | null;
  /** Sessions that it takes from the service. */
  most: number;
  sessions: { app: string; state: string; count: number }[];
  /** Logins of the service's role that it refused in the window: how many, by its words, and when the last one. */
  refused: { words: Record<string, number>; last: Time | null };
  samples: number;
  /** Samples in which a statement of the service had run for `limits.statement`, or waited for a lock. */
  long: number;
  waiting: number;
  longest: Session | null;
  /** The sessions that held those locks, in how many samples. */
  blockers: (Session & { samples: number })[];
};
/** Of the window; a try is an answer, a timeout, an error, or was made before the configuration in use. */
export type Peer = { tries: number; answers: number; timeouts: number; errors: number; lastTimeout: Time | null };
export type Balancer = {
  unit: Unit;
  drained: string[];
  /** Of the backends' sites, in the window. */
  requests: number;
  failed: number;
  p95: number | null;
  peers: Record<string, Peer>;
  /** Of each backend's /healthz, from the balancer. */
  probes: Record<string, Probe[]>;
  weights: Record<string, number>;
};
export type Disk = { mount: string; free: number; bytes: number };

/** A host's report; a part that could not be inspected says why. */
export type HostReport = {
  at: Time;
  disks: Disk[] | Unavailable;
  steal: number | Unavailable;
  service?: Service | Unavailable;
  redis?: Redis | Unavailable;
  postgres?: Postgres | Unavailable;
  balancer?: Balancer | Unavailable;
  prometheus?: QueryResults | Unavailable;
};

/** One series, oldest point first. */
export type TimeSeries = [at: Time, value: number][];
/** By the query's name, then by the values of its labels: a host, or "host worker", "host mountpoint". Each reaches up to now. */
export type QueryResults = Partial<Record<QueryName, Record<string, TimeSeries>>>;

export type Snapshot = {
  at: Time;
  /** Seconds that are judged. */
  window: number;
  /** The app whose workers and requests are judged. */
  app: Pick<App, "name" | "unit" | "user">;
  hosts: { name: string; groups: string[]; report: HostReport | Unavailable }[];
  /** Or why there are none. */
  metrics: QueryResults | Unavailable;
};

/** A statement that takes this long (s) is slow by itself. */
export const slowStatement = 0.1;
const hour = 3600;

const expressions = {
  up: () => `max by (host) (up{job="service"})`,
  lag: (w: string) => `max by (host) (quantile_over_time(0.5, nodejs_eventloop_lag_p99_seconds[${w}]))`,
  throttled: (w: string) => `max by (host) (rate(service_cpu_throttled_seconds_total[${w}]))`,
  steal: (w: string) => `avg by (host) (rate(node_cpu_seconds_total{mode="steal"}[${w}]))`,
  statement: (w: string) =>
    `sum by (host) (rate(postgres_query_duration_seconds_sum[${w}])) / (sum by (host) (rate(postgres_query_duration_seconds_count[${w}])) > 0.5)`,
  connections: () => `max(database:connections:ratio)`,
  waiting: (w: string) => `sum by (host) (max_over_time(postgres_pool_waiting[${w}]))`,
  refused: (w: string) => `sum by (host) (increase(postgres_pool_refused_total[${w}]))`,
  persistence: () => `min by (host) ({__name__=~"redis_aof_last_write_status|redis_aof_last_bgrewrite_status"})`,
  disk: () => `min by (host, mountpoint) (disk:free:ratio)`,
  diskSoon: () => `min by (host, mountpoint) (predict_linear(disk:free:ratio[1h], 4 * 3600))`,
  timeouts: (w: string) => `sum by (backend) (increase(edge_failed_tries_total{kind="timeout"}[${w}]))`,
  share: (w: string) => `sum by (backend) (rate(edge_answers_total{backend!=""}[${w}]))`,
  heap: () =>
    `sum by (host, worker) (nodejs_heap_space_size_used_bytes{space=~"old|large_object"}) + sum by (host, worker) (nodejs_external_memory_bytes)`,
};
const collections = (w: string) =>
  `sum by (host, worker) (increase(nodejs_gc_duration_seconds_count{kind="major"}[${w}]))`;
export type QueryName = keyof typeof expressions | "heapNow" | "collections";

/** The queries for Prometheus: the last hour of each metric, over windows of these seconds; the heap closer as well. */
export function queries(window: number): Record<QueryName, { expr: string; range: number; step: number }> {
  const w = `${window}s`;
  const heapWindow = Math.max(window, 30); // fewer points show no trend
  const all = Object.entries(expressions).map(([name, expr]) => [name, { expr: expr(w), range: hour, step: 20 }]);
  return {
    ...(Object.fromEntries(all) as Record<keyof typeof expressions, { expr: string; range: number; step: number }>),
    heapNow: { expr: expressions.heap(), range: heapWindow, step: 5 },
    collections: { expr: collections(`${heapWindow}s`), range: 0, step: 20 },
  };
}

/**
 * Inspects every host at once, and asks Prometheus on its host meanwhile; takes some seconds.
 *
 * @param window seconds that are judged, at least 20
 */
export async function gather(window: number): Promise<Snapshot> {
  const all = hosts();
  const app = counterApp();
  const script = readFileSync(join(import.meta.dirname, "probe.py"), "utf8");
  const backends = all.filter(({ groups }) => groups.includes("backends"));
  const parts = {
    backends: "service",
    redis: "redis",
    postgres: "postgres",
    balancers: "balancer",
    monitoring: "prometheus",
  };
  const inspect = async ({ name, address, groups }: Host): Promise<HostReport | Unavailable> => {
    const request = {
      address,
      port: app.port,
      app,
      window,
      slow: slowStatement,
      backends: backends.map((each) => [each.name, each.address, app.port]),
      parts: Object.entries(parts).flatMap(([group, part]) => (groups.includes(group) ? [part] : [])),
      prometheus: { url: `http://${address}:${portOf("prometheus")}/prometheus`, queries: queries(window) },
    };
    const quoted = quote(JSON.stringify(request));
    try {
      return JSON.parse(
        await capture(remote(all.find((each) => each.name === name) as Host, "sudo", "python3", "-", quoted), script),
      );
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      return { error: error.message.split(`${quoted}: `).at(-1) ?? "" };
    }
  };
  const reports = await Promise.all(
    all.map(async (host) => ({ name: host.name, groups: host.groups, report: await inspect(host) })),
  );
  return { at: Date.now() / 1000, window, app, hosts: reports, metrics: metricsOf(reports) };
}

function metricsOf(reports: Snapshot["hosts"]): QueryResults | Unavailable {
  const watcher = reports.find(({ groups }) => groups.includes("monitoring"));
  if (!watcher) return { error: "no host is in the group monitoring" };
  if ("error" in watcher.report) return { error: `${watcher.name} cannot be reached: ${watcher.report.error}` };
  return watcher.report.prometheus ?? { error: `${watcher.name} said nothing of it` };
}
