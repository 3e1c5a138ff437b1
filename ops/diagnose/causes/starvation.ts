import { ms, percent, plural } from "../format.ts";
import { limits } from "../limits.ts";
import { inGroup, isAnswer, isAvailable, last, onset, reportOf, seriesOf } from "../readings.ts";
import type { Cause } from "./types.ts";

export const starvation: Cause = {
  title: "Worker starvation (event loop blocked)",
  runbook: "siteslow",
  next: [
    "npm run logs -- HOST",
    "npm run ssh -- HOST sudo top -b -n 1 -u USER",
    "npm run ssh -- HOST sudo pm2 APP reload all",
  ],
  explainedBy: { "backend-down": "here", cpu: "here", leak: "here" },
  detect: (s) =>
    inGroup(s, "backends").flatMap((host) => {
      const service = reportOf(s, host)?.service;
      const bad = (lag: number) => lag >= limits.lag;
      const lag = last(seriesOf(s, "lag", host));
      const probes = isAvailable(service) ? service.probes : [];
      const late = probes.filter((each) => each === "silent" || (isAnswer(each) && each >= limits.lag));
      const evidence: string[] = [];
      if (lag !== undefined && bad(lag))
        evidence.push(`one turn of the event loop in a hundred takes over ${ms(lag)} (${ms(limits.lag)} is bad)`);
      if (late.length > 0 && late.length >= limits.samples * probes.length)
        evidence.push(
          `${late.length} of ${probes.length} probes on its own host took over ${ms(limits.lag)}, or got no answer`,
        );
      if (evidence.length === 0) return [];
      if (isAvailable(service) && service.stopped > 0)
        evidence.push(`${plural(service.stopped, "worker")} of ${service.workers} stopped by a signal`);
      else if (isAvailable(service)) evidence.push(`its busiest worker takes ${percent(service.cpu)} of a CPU`);
      return [{ host, evidence, since: onset(s, "lag", host, bad) }];
    }),
};
