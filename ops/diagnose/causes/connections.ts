import { percent } from "../format.ts";
import { limits } from "../limits.ts";
import { full, inGroup, isAvailable, last, ofApp, onset, reportOf, seriesOf, sum, type View } from "../readings.ts";
import { type Cause, eachApp } from "./types.ts";

export const connections: Cause = {
  title: "Database connections exhausted",
  runbook: "poolexhausted",
  store: "postgres",
  next: [
    `npm run ssh -- HOST "cd /; sudo -u postgres psql halo -c 'SELECT application_name, client_addr, state, count(*) FROM pg_stat_activity GROUP BY 1, 2, 3 ORDER BY 4 DESC'"`,
    `npm run ssh -- HOST "cd /; sudo -u postgres psql halo -c \\"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'WHO'\\""`,
  ],
  explainedBy: {
    "database-login": "anywhere",
    "slow-queries": "anywhere",
    starvation: "anywhere",
    cpu: "anywhere",
  },
  detect: (s) =>
    inGroup(s, "postgres").flatMap((host) => {
      const postgres = reportOf(s, host)?.postgres;
      const since = onset(s, "connections", "", (ratio) => ratio >= limits.sessions);
      if (full(postgres))
        return [
          { host, since, isRootCause: true, evidence: [`PostgreSQL refuses its own superuser: ${full(postgres)}`] },
        ];
      if (!isAvailable(postgres)) return [];
      const { most, sessions } = postgres;
      const used = sum(sessions.map(({ count }) => count));
      const idle = sum(sessions.filter(({ state }) => state.startsWith("idle")).map(({ count }) => count));
      const holders = sessions.toSorted((a, b) => b.count - a.count).slice(0, 3);
      const evidence = [
        `${used} of ${most} sessions are in use (${percent(limits.sessions)} is bad), ${idle} of them idle`,
        `most are held by ${holders.map(({ app, role, state, count }) => `${app || `the role ${role}`} (${count} ${state})`).join(", ")}`,
      ];
      // Sessions that do nothing are nobody's consequence.
      if (used >= limits.sessions * most) return [{ host, since, evidence, isRootCause: idle >= used / 2 }];
      const inUse = evidence[0] as string;
      return eachApp((of) => {
        const refused = refusals(of);
        return refused.length > 0 ? [{ host, evidence: [...refused, inUse] }] : [];
      })(s);
    }),
};

/** The requests that an app has refused because no connection was free, a sentence for each host. */
const refusals = (s: View): string[] =>
  s.app.hosts.flatMap((host) => {
    const many = last(seriesOf(s, "refused", ofApp(s, host))) ?? 0;
    return many >= 1 ? [`${host} has refused ${many.toFixed(0)} requests a connection in the last ${s.window} s`] : [];
  });
