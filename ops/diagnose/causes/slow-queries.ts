import { ms } from "../format.ts";
import { limits } from "../limits.ts";
import { databasesOf, last, ofApp, onset, seriesOf, type View } from "../readings.ts";
import { slowStatement } from "../snapshot.ts";
import { type Cause, type Evidence, eachApp } from "./types.ts";

export const slowQueries: Cause = {
  title: "Slow queries",
  runbook: "databaseslow",
  next: [
    `npm run ssh -- DATABASE "cd /; sudo -u postgres psql halo -xc 'SELECT pid, application_name, now() - query_start AS since, pg_blocking_pids(pid), query FROM pg_stat_activity ORDER BY query_start LIMIT 5'"`,
    "npm run ssh -- DATABASE sudo journalctl -u 'postgresql@*' -n 50",
  ],
  explainedBy: { "database-down": "anywhere", starvation: "here", cpu: "here" },
  detect: eachApp((s) => [...inPostgres(s), ...inService(s)]),
};

/** Statements that run long by PostgreSQL's own count, and the sessions that block them. */
function inPostgres(s: View): Evidence[] {
  return databasesOf(s).flatMap(({ host, long, samples, longest, blockers, waiting }) => {
    if (samples === 0 || long < limits.samples * samples) return [];
    const evidence = [
      `in ${long} of ${samples} samples a statement of the service had run for over ${ms(slowStatement)}`,
    ];
    if (longest)
      evidence.push(`the longest for ${ms(longest.seconds)} (${longest.event ?? "on the CPU"}): ${longest.query}`);
    if (waiting > 0) evidence.push(`in ${waiting} of ${samples} one waited for a lock`);
    for (const { pid, app, role, state, query } of blockers.slice(0, 1))
      evidence.push(`which was held by process ${pid} (${role}, ${app || "no name"}, ${state}): ${query}`);
    // A lock of a worker that cannot go on is that worker's doing.
    const holder = blockers[0]?.app;
    const backend = holder !== undefined && s.app.hosts.includes(holder);
    return [{ host: backend ? holder : host, evidence, since: statementOnset(s) }];
  });
}

/** The service's waits for PostgreSQL: only where every backend that asks does, since one alone is its own matter. */
function inService(s: View): Evidence[] {
  const means = s.app.hosts.flatMap((host) => {
    const mean = last(seriesOf(s, "statement", ofApp(s, host)));
    return mean === undefined ? [] : [{ host, mean }];
  });
  if (means.length === 0 || means.some(({ mean }) => mean < limits.statement)) return [];
  return means.map(({ host, mean }) => ({
    host,
    evidence: [`a statement of ${host} takes ${ms(mean)} on average of ${s.window} s (${ms(limits.statement)} is bad)`],
    since: slowSince(s, host),
  }));
}

const slowSince = (s: View, host: string) =>
  onset(s, "statement", ofApp(s, host), (value) => value >= limits.statement);
const statementOnset = (s: View) => s.app.hosts.flatMap((host) => slowSince(s, host) ?? [])[0];
