import { percent } from "../format.ts";
import { limits } from "../limits.ts";
import { isAvailable, last, onset, reportOf, seriesOf } from "../readings.ts";
import type { Cause } from "./types.ts";

export const cpu: Cause = {
  title: "CPU withheld (throttling, steal or others on the host)",
  runbook: "cputhrottled",
  next: ["npm run ssh -- HOST systemctl show UNIT -p CPUQuotaPerSecUSec", "npm run ssh -- HOST vmstat 1 5"],
  // PostgreSQL checks the password of every new try, which takes CPU of hosts that share one machine.
  explainedBy: { "database-login": "anywhere" },
  detect: (s) =>
    s.hosts.flatMap(({ name: host }) => {
      const { service, steal } = reportOf(s, host) ?? {};
      const evidence: string[] = [];
      const bad = (value: number) => value >= limits.held;
      const now = isAvailable(service) ? service.throttled : 0;
      const before = last(seriesOf(s, "throttled", host)) ?? 0;
      const quota = isAvailable(service) && service.quota ? `, by the quota ${service.quota} us in 100 ms` : "";
      if (bad(now) || bad(before))
        evidence.push(
          `the service was not let run for ${percent(now)} of these 2 s and ${percent(before)} of the last ${s.window} s (${percent(limits.held)} is bad)${quota}`,
        );
      if (isAvailable(service) && service.waited >= Math.max(limits.waited, service.cpu))
        evidence.push(
          `its worker waited for a CPU ${percent(service.waited)} of the time, and had one ${percent(service.cpu)} (${percent(limits.waited)} is bad)`,
        );
      const stolen = last(seriesOf(s, "steal", host)) ?? (typeof steal === "number" ? steal : 0);
      if (bad(stolen))
        evidence.push(
          `the machine below took ${percent(stolen)} of the CPU time (steal; ${percent(limits.held)} is bad)`,
        );
      const since = onset(s, "throttled", host, bad) ?? onset(s, "steal", host, bad);
      return evidence.length > 0 ? [{ host, evidence, since }] : [];
    }),
};
