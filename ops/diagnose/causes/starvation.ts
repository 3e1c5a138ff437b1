import { ms, percent, plural } from "../format.ts";
import { limits } from "../limits.ts";
import { isAnswer, last, ofApp, onset, seriesOf, serviceOf } from "../readings.ts";
import { type Cause, eachApp } from "./types.ts";

export const starvation: Cause = {
  title: "Worker starvation (event loop blocked)",
  runbook: "siteslow",
  next: [
    "npm run logs -- HOST",
    "npm run ssh -- HOST sudo top -b -n 1 -u USER",
    "npm run ssh -- HOST sudo pm2 APP reload all",
  ],
  explainedBy: { "backend-down": "here", cpu: "here", leak: "here", memory: "here" },
  ofHost: true,
  detect: eachApp((s) =>
    s.app.hosts.flatMap((host) => {
      const service = serviceOf(s, host);
      const bad = (lag: number) => lag >= limits.lag;
      const lag = last(seriesOf(s, "lag", ofApp(s, host)));
      // A page of an app may take long for other reasons: only a worker that computes, or is stopped, is blocked.
      const blocked = service && (s.app.contract || service.stopped > 0 || service.cpu >= limits.busy);
      const probes = blocked ? service.probes : [];
      const late = probes.filter((each) => each === "silent" || (isAnswer(each) && each >= limits.lag));
      const evidence: string[] = [];
      if (lag !== undefined && bad(lag))
        evidence.push(`one turn of the event loop in a hundred takes over ${ms(lag)} (${ms(limits.lag)} is bad)`);
      if (late.length > 0 && late.length >= limits.samples * probes.length)
        evidence.push(
          `${late.length} of ${probes.length} probes on its own host took over ${ms(limits.lag)}, or got no answer`,
        );
      if (evidence.length === 0) return [];
      if (service && service.stopped > 0)
        evidence.push(`${plural(service.stopped, "worker")} of ${service.workers} stopped by a signal`);
      else if (service) evidence.push(`its busiest worker takes ${percent(service.cpu)} of a CPU`);
      return [{ host, evidence, since: onset(s, "lag", ofApp(s, host), bad) }];
    }),
  ),
};
