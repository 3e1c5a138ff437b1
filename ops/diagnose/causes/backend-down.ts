import { describeProbes, plural } from "../format.ts";
import { inRotation, isAnswer, ofApp, onset, probesOf, reportOf, serviceOf, whyNot } from "../readings.ts";
import { type Cause, eachApp, failedStores } from "./types.ts";

export const backendDown: Cause = {
  title: "Backend down",
  runbook: "backenddown",
  next: [
    "npm run exec -- vagrant up HOST",
    "npm run ssh -- HOST sudo journalctl -u UNIT -n 50",
    "npm run ssh -- HOST sudo systemctl restart UNIT",
  ],
  explainedBy: { ...failedStores, memory: "here" },
  ofHost: true,
  detect: eachApp((s) =>
    inRotation(s, s.app).flatMap((host) => {
      const since = onset(s, "up", ofApp(s, host), (up) => up === 0);
      const fromBalancer = probesOf(s, host);
      if (reportOf(s, host) === undefined) {
        if (fromBalancer.length > 0 && fromBalancer.some(isAnswer)) return [];
        return [
          {
            host,
            since,
            isRootCause: true,
            evidence: [
              `it cannot be reached: ${whyNot(s, host)}`,
              `its service is ${describeProbes(fromBalancer)}, asked by the balancer`,
            ],
          },
        ];
      }
      const service = serviceOf(s, host);
      if (!service) return [];
      const { unit, workers, probes } = service;
      const refused = probes.filter((each) => each === "refused").length;
      if (unit.state === "active" && workers > 0 && refused < probes.length / 2) return [];
      const evidence = [
        `its unit ${s.app.unit} is ${unit.state} (${unit.sub}) with ${plural(workers, "worker")}`,
        `${refused} of ${probes.length} connections to it on its own host were refused`,
      ];
      // An active unit starts workers again that end themselves; an inactive one was stopped.
      return unit.state === "active"
        ? [{ host, since, evidence }]
        : [{ host, since: unit.since, evidence, isRootCause: true }];
    }),
  ),
};
