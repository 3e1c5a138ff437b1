import { percent } from "../format.ts";
import { limits } from "../limits.ts";
import { full, inGroup, isAvailable, last, onset, reportOf, seriesOf, sum } from "../readings.ts";
import type { Cause } from "./types.ts";

export const connections: Cause = {
  title: "Database connections exhausted",
  runbook: "poolexhausted",
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
        `most are held by ${holders.map(({ app, state, count }) => `${app || "somebody without a name"} (${count} ${state})`).join(", ")}`,
      ];
      // Sessions that do nothing are nobody's consequence.
      if (used >= limits.sessions * most) return [{ host, since, evidence, isRootCause: idle >= used / 2 }];
      const refused = inGroup(s, "backends").flatMap((name) => {
        const many = last(seriesOf(s, "refused", name)) ?? 0;
        return many >= 1
          ? [`${name} has refused ${many.toFixed(0)} requests a connection in the last ${s.window} s`]
          : [];
      });
      return refused.length > 0 ? [{ host, evidence: [...refused, evidence[0] as string] }] : [];
    }),
};
