import { percent } from "../format.ts";
import { limits } from "../limits.ts";
import { last, ofApp, onset, reportOf, seriesOf, serviceOf } from "../readings.ts";
import type { Snapshot } from "../snapshot.ts";
import { type Cause, type Evidence, eachApp } from "./types.ts";

const bad = (value: number) => value >= limits.held;
const vmstat = "npm run ssh -- HOST vmstat 1 5";

export const cpu: Cause = {
  title: "CPU withheld (throttling, steal or others on the host)",
  runbook: "cputhrottled",
  next: ["npm run ssh -- HOST systemctl show UNIT -p CPUQuotaPerSecUSec", vmstat],
  // PostgreSQL checks the password of every new try, which takes CPU of hosts that share one machine.
  explainedBy: { "database-login": "anywhere" },
  ofHost: true,
  detect: (s) => [...ofServices(s), ...ofOtherHosts(s)],
};

const ofServices = eachApp((s) =>
  s.app.hosts.flatMap((host) => {
    const service = serviceOf(s, host);
    const evidence: string[] = [];
    const now = service?.throttled ?? 0;
    const before = last(seriesOf(s, "throttled", ofApp(s, host))) ?? 0;
    const quota = service?.quota ? `, by the quota ${service.quota} us in 100 ms` : "";
    if (bad(now) || bad(before))
      evidence.push(
        `the service was not let run for ${percent(now)} of these 2 s and ${percent(before)} of the last ${s.window} s (${percent(limits.held)} is bad)${quota}`,
      );
    if (service && service.waited >= Math.max(limits.waited, service.cpu))
      evidence.push(
        `its worker waited for a CPU ${percent(service.waited)} of the time, and had one ${percent(service.cpu)} (${percent(limits.waited)} is bad)`,
      );
    evidence.push(...stolen(s, host));
    const since = onset(s, "throttled", ofApp(s, host), bad) ?? onset(s, "steal", host, bad);
    return evidence.length > 0 ? [{ host, evidence, since }] : [];
  }),
);

/** The hosts without an app. */
const ofOtherHosts = (s: Snapshot): Evidence[] =>
  s.hosts
    .filter(({ name }) => !s.apps.some(({ hosts }) => hosts.includes(name)))
    .map(({ name: host }) => ({ host, evidence: stolen(s, host), since: onset(s, "steal", host, bad), next: [vmstat] }))
    .filter(({ evidence }) => evidence.length > 0);

function stolen(s: Snapshot, host: string): string[] {
  const { steal } = reportOf(s, host) ?? {};
  const share = last(seriesOf(s, "steal", host)) ?? (typeof steal === "number" ? steal : 0);
  return bad(share)
    ? [`the machine below took ${percent(share)} of the CPU time (steal; ${percent(limits.held)} is bad)`]
    : [];
}
