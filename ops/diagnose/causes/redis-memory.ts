import { megabytes, percent } from "../format.ts";
import { limits } from "../limits.ts";
import { type Cause, eachRedis } from "./types.ts";

export const redisMemory: Cause = {
  title: "Redis has no memory left",
  runbook: "redisrefuses",
  store: "redis",
  next: [
    "npm run ssh -- HOST sudo REDIS_CLI info memory",
    "npm run ssh -- HOST sudo REDIS_CLI --bigkeys",
    "npm run up # after raising REDIS_MEMORY",
  ],
  explainedBy: {},
  detect: eachRedis(({ memory }) => {
    if (!memory || memory.evicts || memory.limit === 0 || memory.used < limits.redisMemory * memory.limit) return [];
    const { used, limit } = memory;
    return [
      {
        evidence: [
          `it holds ${megabytes(used)} of maxmemory ${megabytes(limit)} (${percent(limits.redisMemory)} is bad), and evicts nothing: it refuses writes (OOM)`,
        ],
      },
    ];
  }),
};
