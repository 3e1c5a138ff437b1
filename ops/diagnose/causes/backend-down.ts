import { describeProbes, plural } from "../format.ts";
import { inRotation, isAnswer, isThere, onset, probesOf, seenOf, whyNot } from "../readings.ts";
import type { Cause } from "./types.ts";

export const backendDown: Cause = {
  title: "Backend down",
  runbook: "backenddown",
  next: [
    "npm run ssh -- HOST sudo journalctl -u halo -n 50",
    "npm run ssh -- HOST sudo systemctl restart halo",
    "vagrant up HOST",
  ],
  symptomOf: {},
  look: (s) =>
    inRotation(s).flatMap((host) => {
      const seen = seenOf(s, host);
      const since = onset(s, "up", host, (up) => up === 0);
      const fromBalancer = probesOf(s, host);
      if (seen === undefined) {
        if (fromBalancer.length > 0 && fromBalancer.some(isAnswer)) return [];
        return [
          {
            host,
            since,
            says: [
              `it cannot be reached: ${whyNot(s, host)}`,
              `its service is ${describeProbes(fromBalancer)}, asked by the balancer`,
            ],
          },
        ];
      }
      const { service } = seen;
      if (!isThere(service)) return [];
      const { unit, workers, probes } = service;
      const refused = probes.filter((each) => each === "refused").length;
      if (unit.state === "active" && workers > 0 && refused < probes.length / 2) return [];
      const says = [
        `its unit halo is ${unit.state} (${unit.sub}) with ${plural(workers, "worker")}`,
        `${refused} of ${probes.length} connections to it on its own host were refused`,
      ];
      return [{ host, since: unit.state === "active" ? since : unit.since, says }];
    }),
};
