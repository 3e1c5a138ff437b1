/** What `npm run diagnose` knows of the cluster: two seconds of every host, and the last hour as Prometheus has it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { loadQueries } from "../../app/web/metrics/scaling.ts";
import { type App, apps } from "../cluster/apps.ts";
import { remote } from "../cluster/hosts.ts";
import { type Host, hosts } from "../cluster/inventory.ts";
import { portOf } from "../cluster/services.ts";
import { UserError } from "../lib/cli.ts";
import { capture } from "../lib/exec.ts";
import { quote } from "../lib/script.ts";

/** Seconds since 1970. */
type Time = number;
export type Unit = { state: string; sub: string; pid: number; since: Time };
/** Seconds that an answer took, or why there was none: "refused", "silent", "answered with 500" or the system's words. */
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
  /** Of the app's path, from the backend itself. */
  probes: Probe[];
  /** Why /readyz says that it is not ready, of an app that has it. */
  unready?: string | null;
  /** Share of the time in which its cgroup, or one above, was not let run. */
  throttled: number;
  quota?: string;
  /** Bytes. */
  memory?: { used: number; limit: number | null };
  /** In the window, as systemd has noticed it: the kernel has ended a process for want of memory. */
  oomKills: number;
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
  memory: { used: number; limit: number; evicts: boolean } | null;
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
  /** Sessions that it takes from the services. */
  most: number;
  sessions: { app: string; role: string; state: string; count: number }[];
  samples: number;
  /** By the roles of the services. */
  roles: Record<string, RoleReport>;
};
export type RoleReport = {
  /** Logins of the role that it refused in the window: how many, by its words, and when the last one. */
  refused: { words: Record<string, number>; last: Time | null };
  /** Samples in which a statement of the service had run for `limits.statement`, or waited for a lock. */
  long: number;
  waiting: number;
  longest: Session | null;
  /** The sessions that held those locks, in how many samples. */
  blockers: (Session & { samples: number })[];
};
/** Of the window; a try is an answer, a timeout, an error, or was made before the configuration in use. */
export type Peer = { tries: number; answers: number; timeouts: number; errors: number; lastTimeout: Time | null };
/** In the window. */
export type Requests = { requests: number; failed: number; p95: number | null };
/** An app's requests; the others by the names of its backends. */
export type Traffic = Requests & {
  peers: Record<string, Peer>;
  /** Of the app's path, from the balancer. */
  probes: Record<string, Probe[]>;
  weights: Record<string, number>;
};
/** The requests are those of all apps. */
export type Balancer = Requests & {
  unit: Unit;
  /** HOST, or HOST/APP. */
  drained: string[];
  apps: Record<string, Traffic>;
};
export type Disk = { mount: string; free: number; bytes: number };

/** A host's report; a part that could not be inspected says why. */
export type HostReport = {
  at: Time;
  disks: Disk[] | Unavailable;
  steal: number | Unavailable;
  /** By the names of the apps. */
  services?: Record<string, Service | Unavailable>;
  /** By the names of the units. */
  redis?: Record<string, Redis | Unavailable>;
  postgres?: Postgres | Unavailable;
  balancer?: Balancer | Unavailable;
  prometheus?: QueryResults | Unavailable;
};

/** One series, oldest point first. */
export type TimeSeries = [at: Time, value: number][];
/** By the query's name, then by the values of its labels: "app host", "app host worker", "host mountpoint". Each reaches up to now. */
export type QueryResults = Partial<Record<QueryName, Record<string, TimeSeries>>>;

export type Store = "redis" | "postgres";
/** An app whose workers and requests are judged. */
export type Judged = Pick<App, "name" | "unit" | "user" | "port" | "database"> & {
  hosts: string[];
  stores: Store[];
  /** The path that is asked. */
  path: string;
  /** Whether that is /healthz, which waits for the event loop alone, and /readyz says which store it lacks. */
  contract: boolean;
  /** Whether each client has its own backend. */
  sticky: boolean;
};
/** A Redis: the shared one, or an app's own. */
export type RedisServer = { app?: string; unit: string; cli: string; folder: string };

export type Snapshot = {
  at: Time;
  /** Seconds that are judged. */
  window: number;
  apps: Judged[];
  redis: RedisServer[];
  hosts: { name: string; groups: string[]; report: HostReport | Unavailable }[];
  /** Or why there are none. */
  metrics: QueryResults | Unavailable;
};

/** A statement that takes this long (s) is slow by itself. */
export const slowStatement = 0.1;
const hour = 3600;

type Ported = Pick<App, "name" | "port">;
/** nginx knows an app by its port. */
const ofApps = (expr: string, of: Ported[]) =>
  `sum by (app, backend) (${of.reduce(
    (inner, { name, port }) => `label_replace(${inner}, "app", "${name}", "upstream", ".*:${port}")`,
    expr,
  )})`;
const expressions = {
  up: () => `max by (app, host) (up{job="service"})`,
  lag: (w: string) => `max by (app, host) (quantile_over_time(0.5, nodejs_eventloop_lag_p99_seconds[${w}]))`,
  throttled: (w: string) => `max by (app, host) (rate(service_cpu_throttled_seconds_total[${w}]))`,
  steal: (w: string) => `avg by (host) (rate(node_cpu_seconds_total{mode="steal"}[${w}]))`,
  statement: (w: string) =>
    `sum by (app, host) (rate(postgres_query_duration_seconds_sum[${w}])) / (sum by (app, host) (rate(postgres_query_duration_seconds_count[${w}])) > 0.5)`,
  connections: () => `max(database:connections:ratio)`,
  refused: (w: string) => `sum by (app, host) (increase(postgres_pool_refused_total[${w}]))`,
  persistence: () => `min by (host) ({__name__=~"redis_aof_last_write_status|redis_aof_last_bgrewrite_status"})`,
  disk: () => `min by (host, mountpoint) (disk:free:ratio)`,
  diskSoon: () => `min by (host, mountpoint) (predict_linear(disk:free:ratio[1h], 4 * 3600))`,
  certificate: () => `min by (site) (certificate:left:days)`,
  certificateBound: () => `min by (site) (certificate:bound:days)`,
  timeouts: (w: string, of: Ported[]) => ofApps(`increase(edge_failed_tries_total{kind="timeout"}[${w}])`, of),
  share: (w: string, of: Ported[]) => ofApps(`rate(edge_answers_total{backend!=""}[${w}])`, of),
  heap: () =>
    `sum by (app, host, worker) (nodejs_heap_space_size_used_bytes{space=~"old|large_object"}) + sum by (app, host, worker) (nodejs_external_memory_bytes)`,
};
const collections = (w: string) =>
  `sum by (app, host, worker) (increase(nodejs_gc_duration_seconds_count{kind="major"}[${w}]))`;
export type QueryName = keyof typeof expressions | keyof typeof loadQueries | "heapNow" | "collections";

/** The queries for Prometheus: the last hour of each metric, over windows of these seconds; the heap closer as well. */
export function queries(
  window: number,
  of: Ported[] = [],
): Record<QueryName, { expr: string; range: number; step: number }> {
  const w = `${window}s`;
  const heapWindow = Math.max(window, 30); // fewer points show no trend
  const all = Object.entries(expressions).map(([name, expr]) => [name, { expr: expr(w, of), range: hour, step: 20 }]);
  return {
    ...(Object.fromEntries(all) as Record<keyof typeof expressions, { expr: string; range: number; step: number }>),
    heapNow: { expr: expressions.heap(), range: heapWindow, step: 5 },
    collections: { expr: collections(`${heapWindow}s`), range: 0, step: 20 },
    steady: { expr: loadQueries.steady, range: 0, step: 20 },
    peak: { expr: loadQueries.peak, range: 0, step: 20 },
  };
}

/**
 * Inspects every host at once, and asks Prometheus on its host meanwhile; takes some seconds.
 *
 * @param window seconds that are judged, at least 20
 */
export async function gather(window: number): Promise<Snapshot> {
  const all = hosts();
  const script = readFileSync(join(import.meta.dirname, "probe.py"), "utf8");
  const backends = all.filter(({ groups }) => groups.includes("backends"));
  const running = apps().filter(({ runs }) => runs);
  const judged = running.map((app): Judged & { workers: string; domain?: string } => {
    const contract = app.entry.health === "version";
    return {
      ...app,
      hosts: app.hosts ?? backends.map(({ name }) => name),
      stores: (["redis", "postgres"] as const).filter((store) => app.entry[store]),
      path: contract ? "/healthz" : app.health,
      contract,
      sticky: app.entry.sticky ?? false,
      ...(app.domains[0] && { domain: app.domains[0] }),
    };
  });
  const redis: RedisServer[] = [{ unit: "redis-server", cli: "halo-redis-cli", folder: "/var/lib/redis" }];
  for (const { name, redisPort } of running)
    if (redisPort !== null)
      redis.push({
        app: name,
        unit: `redis-server@${name}`,
        cli: `halo-redis-cli -p ${redisPort}`,
        folder: `/var/lib/redis/${name}`,
      });
  const parts = {
    backends: "services",
    redis: "redis",
    postgres: "postgres",
    balancers: "balancer",
    monitoring: "prometheus",
  };
  const inspect = async ({ name, address, groups }: Host): Promise<HostReport | Unavailable> => {
    const request = {
      name,
      window,
      slow: slowStatement,
      apps: judged.map(({ name, unit, workers, port, path, contract, domain, hosts: on }) => ({
        ...{ name, unit, workers, port, path, contract, domain },
        backends: backends.filter((each) => on.includes(each.name)).map((each) => [each.name, each.address]),
      })),
      redis,
      roles: [...new Set(running.flatMap(({ database }) => database ?? []))],
      parts: Object.entries(parts).flatMap(([group, part]) => (groups.includes(group) ? [part] : [])),
      prometheus: { url: `http://${address}:${portOf("prometheus")}/prometheus`, queries: queries(window, judged) },
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
  return { at: Date.now() / 1000, window, apps: judged, redis, hosts: reports, metrics: metricsOf(reports) };
}

function metricsOf(reports: Snapshot["hosts"]): QueryResults | Unavailable {
  const watcher = reports.find(({ groups }) => groups.includes("monitoring"));
  if (!watcher) return { error: "no host is in the group monitoring" };
  if ("error" in watcher.report) return { error: `${watcher.name} cannot be reached: ${watcher.report.error}` };
  return watcher.report.prometheus ?? { error: `${watcher.name} said nothing of it` };
}
