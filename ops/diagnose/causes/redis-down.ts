import { inGroup, seenOf, whyNot } from "../readings.ts";
import type { Cause } from "./types.ts";

export const redisDown: Cause = {
  title: "Redis down",
  runbook: "redisdown",
  next: [
    "npm run ssh -- HOST sudo journalctl -u redis-server -n 50",
    "npm run ssh -- HOST sudo systemctl restart redis-server",
  ],
  symptomOf: { disk: "here", "redis-data": "here", "redis-persistence": "here" },
  look: (s) =>
    inGroup(s, "redis").flatMap((host) => {
      const seen = seenOf(s, host);
      if (seen === undefined) return [{ host, says: [`its host cannot be reached: ${whyNot(s, host)}`] }];
      const { redis } = seen;
      if (redis && "error" in redis) return [{ host, says: [`it does not answer INFO: ${redis.error}`] }];
      if (!redis || redis.answers) return [];
      const { state, sub, since } = redis.unit;
      return [{ host, since, says: [`its unit is ${state} (${sub}), and it does not answer INFO`] }];
    }),
};
