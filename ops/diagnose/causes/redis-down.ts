import { inGroup, reportOf, whyNot } from "../readings.ts";
import type { Cause } from "./types.ts";

export const redisDown: Cause = {
  title: "Redis down",
  runbook: "redisdown",
  next: [
    "npm run ssh -- HOST sudo journalctl -u redis-server -n 50",
    "npm run ssh -- HOST sudo systemctl restart redis-server",
  ],
  explainedBy: { disk: "here", "redis-data": "here", "redis-persistence": "here" },
  detect: (s) =>
    inGroup(s, "redis").flatMap((host) => {
      const report = reportOf(s, host);
      if (report === undefined) return [{ host, evidence: [`its host cannot be reached: ${whyNot(s, host)}`] }];
      const { redis } = report;
      if (redis && "error" in redis) return [{ host, evidence: [`it does not answer INFO: ${redis.error}`] }];
      if (!redis || redis.answers) return [];
      const { state, sub, since } = redis.unit;
      return [{ host, since, evidence: [`its unit is ${state} (${sub}), and it does not answer INFO`] }];
    }),
};
