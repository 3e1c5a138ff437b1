import { inGroup, redisOf, reportOf, whyNot } from "../readings.ts";
import type { Snapshot } from "../snapshot.ts";
import type { Cause, Evidence } from "./types.ts";

export const redisDown: Cause = {
  title: "Redis down",
  runbook: "redisdown",
  store: "redis",
  next: [
    "npm run ssh -- HOST sudo journalctl -u REDIS_UNIT -n 50",
    "npm run ssh -- HOST sudo systemctl restart REDIS_UNIT",
  ],
  explainedBy: { disk: "here", "redis-data": "here", "redis-persistence": "here" },
  detect: (s) => [
    ...gone(s),
    ...redisOf(s).flatMap(({ host, server: { app }, redis }): Evidence[] => {
      if (redis && "error" in redis) return [{ app, host, evidence: [`it does not answer INFO: ${redis.error}`] }];
      if (!redis || redis.answers) return [];
      const { state, sub, since } = redis.unit;
      return [{ app, host, since, evidence: [`its unit is ${state} (${sub}), and it does not answer INFO`] }];
    }),
  ],
};

/** A host that is gone has taken every Redis with it. */
const gone = (s: Snapshot): Evidence[] =>
  inGroup(s, "redis")
    .filter((host) => reportOf(s, host) === undefined)
    .map((host) => ({ host, evidence: [`its host cannot be reached: ${whyNot(s, host)}`] }));
