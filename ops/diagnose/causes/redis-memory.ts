import { megabytes, percent } from "../format.ts";
import { limits } from "../limits.ts";
import { storesOf } from "../readings.ts";
import type { Cause } from "./types.ts";

export const redisMemory: Cause = {
  title: "Redis has no memory left",
  runbook: "redisrefuses",
  next: [
    "npm run ssh -- HOST sudo halo-redis-cli info memory",
    "npm run ssh -- HOST sudo halo-redis-cli --bigkeys",
    "cd ansible && ansible-playbook site.yml # after raising redis_max_memory",
  ],
  explainedBy: {},
  detect: (s) =>
    storesOf(s, "redis").flatMap(({ host, memory }) => {
      const { used, limit } = memory ?? { used: 0, limit: 0 };
      if (limit === 0 || used < limits.redisMemory * limit) return [];
      return [
        {
          host,
          evidence: [
            `it holds ${megabytes(used)} of maxmemory ${megabytes(limit)} (${percent(limits.redisMemory)} is bad), and evicts nothing: it refuses visits (OOM)`,
          ],
        },
      ];
    }),
};
