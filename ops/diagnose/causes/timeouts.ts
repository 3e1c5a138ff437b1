import { describeProbes, percent } from "../format.ts";
import { limits } from "../limits.ts";
import { inRotation, ofApp, onset, probesOf, serviceOf, trafficOf } from "../readings.ts";
import { type Cause, eachApp } from "./types.ts";

export const timeouts: Cause = {
  title: "Upstream timeouts",
  runbook: "siteerrors",
  next: ["npm run ssh -- HOST sudo nft list ruleset", "npm run logs -- HOST", "npm run drain -- HOST"],
  explainedBy: {
    "backend-down": "here",
    starvation: "here",
    cpu: "here",
    leak: "here",
    memory: "here",
    unhealthy: "here",
    "slow-queries": "anywhere",
    connections: "anywhere",
  },
  ofHost: true,
  detect: eachApp((s) =>
    inRotation(s, s.app).flatMap((host) => {
      const peer = trafficOf(s)?.peers[host];
      if (!peer || peer.lastTimeout === null) return [];
      // nginx tries a banned backend every 3 s, so a fault that lasts gives a new timeout soon.
      const lasts = s.at - peer.lastTimeout <= Math.max(10, s.window / 4);
      if (!lasts || peer.timeouts < 2 || peer.timeouts < limits.timeouts * peer.tries) return [];
      const service = serviceOf(s, host);
      const evidence = [
        `${peer.timeouts} of ${peer.tries} tries timed out in the last ${s.window} s (${percent(limits.timeouts)} is bad)`,
      ];
      evidence.push(
        `${s.app.path} is ${describeProbes(probesOf(s, host))} asked by the balancer${service ? `, ${describeProbes(service.probes)} on its own host` : ""}`,
      );
      return [{ host, evidence, since: onset(s, "timeouts", ofApp(s, host), (many) => many >= 1) }];
    }),
  ),
};
