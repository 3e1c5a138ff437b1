import { inRotation, isAnswer, serviceOf } from "../readings.ts";
import { type Cause, eachApp, failedStores } from "./types.ts";

export const unhealthy: Cause = {
  title: "App unhealthy",
  runbook: "apperrors",
  next: ["npm run logs -- APP", "npm run releases -- APP", "npm run rollback -- APP"],
  explainedBy: {
    ...failedStores,
    "slow-queries": "anywhere",
    "backend-down": "here",
    cpu: "here",
    leak: "here",
    memory: "here",
    starvation: "here",
  },
  detect: eachApp((s) =>
    inRotation(s, s.app).flatMap((host) => {
      // /healthz has no errors of its own: where it is late, the worker is blocked.
      const probes = (!s.app.contract && serviceOf(s, host)?.probes) || [];
      const errors = probes.filter((each) => !isAnswer(each) && each !== "refused");
      if (errors.length === 0 || errors.length < probes.length / 2) return [];
      const words = [...new Set(errors)].join(", ");
      const evidence = `${errors.length} of ${probes.length} requests of ${s.app.path} failed on its own host: ${words}`;
      return [{ host, evidence: [evidence] }];
    }),
  ),
};
