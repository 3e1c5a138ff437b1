import { type Cause, eachRedis } from "./types.ts";

export const redisReplica: Cause = {
  title: "Redis is a replica",
  runbook: "redisrefuses",
  store: "redis",
  next: ["npm run ssh -- HOST sudo REDIS_CLI info replication", "npm run ssh -- HOST sudo REDIS_CLI replicaof no one"],
  explainedBy: {},
  detect: eachRedis(({ replicaOf }) =>
    replicaOf ? [{ evidence: [`it follows ${replicaOf}, and refuses every write (READONLY)`] }] : [],
  ),
};
