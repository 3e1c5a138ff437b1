/** The needs of a run on the hosts: rows taken out again, the workers' CPU, and Prometheus' counters. */
import { inGroup } from "../cluster/inventory.ts";
import { query } from "../cluster/prometheus.ts";
import type { Session } from "../cluster/session.ts";
import { counterApp } from "../cluster/sites.ts";
import { backends, postgres } from "../cluster/topology.ts";
import { UserError } from "../lib/cli.ts";
import { shellScript } from "../lib/script.ts";
import { type Counters, counted, counters } from "./metrics.ts";

/** The beginning of the names of a load's rows. */
export const rowPrefix = "halo-load";

const removing = [
  "DELETE FROM workshop.services s USING workshop.vehicles v, workshop.customers c WHERE s.vehicle_id = v.id AND v.customer_id = c.id AND c.name",
  "DELETE FROM workshop.vehicles v USING workshop.customers c WHERE v.customer_id = c.id AND c.name",
  "DELETE FROM workshop.customers WHERE name",
].map((rows) => `${rows} LIKE '${rowPrefix}-%'`);
/** The command that takes them out by hand. */
export const removal = `npm run ssh -- ${postgres} "sudo -u postgres psql halo -c \\"${removing.join("; ")}\\""`;

/** Nanoseconds of CPU by process of the workers, for each backend. */
export type Cpu = Record<string, Map<string, number>>;

/** Asks each backend for the CPU time of its workers until now; leaves out one that cannot be asked. */
export async function readCpu(session: Session): Promise<Cpu> {
  const script = shellScript(new URL("worker-cpu.sh", import.meta.url), counterApp().name);
  const used = backends.map(async (host) => {
    const asked = await session.on(host, script).catch((error) => {
      if (!(error instanceof UserError)) throw error;
    });
    const lines = asked?.output
      .split("\n")
      .filter(Boolean)
      .map((line) => line.split(" ") as [string, string]);
    return lines ? [[host, new Map(lines.map(([pid, ns]) => [pid, Number(ns)]))]] : [];
  });
  return Object.fromEntries((await Promise.all(used)).flat());
}

/**
 * Cores that each backend's workers used in these seconds; a worker that began meanwhile counts whole, a backend that could
 * not be asked twice is left out.
 */
export const cores = (before: Cpu, after: Cpu, seconds: number): Record<string, number> =>
  Object.fromEntries(
    Object.entries(after).flatMap(([host, workers]) => {
      const then = before[host];
      return then
        ? [[host, [...workers].reduce((all, [pid, ns]) => all + ns - (then.get(pid) ?? 0), 0) / 1e9 / seconds]]
        : [];
    }),
  );

/** Seconds of CPU that PostgreSQL has used until now; undefined where its host cannot be asked, or does not count them. */
export async function readDatabaseCpu(session: Session): Promise<number | undefined> {
  try {
    const { output } = await session.on(postgres, shellScript(new URL("postgres-cpu.sh", import.meta.url)));
    return output === "" ? undefined : Number(output) / 1e6;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return undefined;
  }
}

const waitMs = 60_000; // ms for a scrape to come, six of its intervals

/** Prometheus' counters at a moment after this call (a scrape of every target of ours), or why there are none. */
export type Snapshot = { counters: Counters } | { none: string };

/**
 * Waits until every worker and every edge was scraped after this moment, and takes the counters. A target that cannot be
 * scraped is not waited for: its counts are missing then.
 *
 * @param site, before, requests where the edge has to have counted that many since, it is waited for as well: nginx
 *   writes its log once a second, and mtail reads it
 */
export async function snapshot(
  signal: AbortSignal,
  awaited?: { site: string; before: Counters; requests: number },
): Promise<Snapshot> {
  const enough = 15; // s after which requests that were not logged will not come any more
  const all = 'job=~"edge|service"';
  const hosts = inGroup("balancers").length + backends.length; // a target each, or more
  try {
    const since = (await query("vector(time())"))[0]?.value ?? 0; // the hosts' clock, not ours
    for (const end = performance.now() + waitMs; performance.now() < end && !signal.aborted; ) {
      const times = (await query(`timestamp(up{${all}})`)).map(({ value }) => value);
      // A Prometheus that has just begun has asked some of the hosts only.
      const oldest = times.length < hosts ? 0 : Math.min(...times);
      if (oldest > since) {
        const now = counters(
          await query(
            `{__name__=~"edge_requests_total|edge_request_seconds_bucket",job="edge"}
or {__name__=~"process_cpu_seconds_total|postgres_query_duration_seconds_(sum|count|bucket)",job="service"}`,
          ),
        );
        if (!awaited || counted(awaited.site, awaited.before, now) >= awaited.requests || oldest > since + enough)
          return { counters: now };
      }
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    return { none: signal.aborted ? "interrupted" : `no scrape of every target within ${waitMs / 1000} s` };
  } catch (error) {
    if (error instanceof UserError) return { none: error.message };
    throw error;
  }
}
