import { ms, percent, plural } from "../format.ts";
import { limits } from "../limits.ts";
import { curveOf, inGroup, isAnswer, isThere, last, onset, seenOf } from "../readings.ts";
import type { Cause } from "./types.ts";

export const starvation: Cause = {
  title: "Worker starvation (event loop blocked)",
  runbook: "siteslow",
  next: [
    "npm run logs -- HOST",
    "npm run ssh -- HOST sudo top -b -n 1 -u halo",
    "npm run ssh -- HOST sudo pm2 reload halo",
  ],
  symptomOf: { "backend-down": "here", cpu: "here", leak: "here" },
  look: (s) =>
    inGroup(s, "backends").flatMap((host) => {
      const service = seenOf(s, host)?.service;
      const bad = (lag: number) => lag >= limits.lag;
      const lag = last(curveOf(s, "lag", host));
      const probes = isThere(service) ? service.probes : [];
      const late = probes.filter((each) => each === "silent" || (isAnswer(each) && each >= limits.lag));
      const says: string[] = [];
      if (lag !== undefined && bad(lag))
        says.push(`one turn of the event loop in a hundred takes over ${ms(lag)} (${ms(limits.lag)} is bad)`);
      if (late.length > 0 && late.length >= limits.samples * probes.length)
        says.push(
          `${late.length} of ${probes.length} probes on its own host took over ${ms(limits.lag)}, or got no answer`,
        );
      if (says.length === 0) return [];
      if (isThere(service) && service.stopped > 0)
        says.push(`${plural(service.stopped, "worker")} of ${service.workers} stopped by a signal`);
      else if (isThere(service)) says.push(`its busiest worker takes ${percent(service.cpu)} of a CPU`);
      return [{ host, says, since: onset(s, "lag", host, bad) }];
    }),
};
