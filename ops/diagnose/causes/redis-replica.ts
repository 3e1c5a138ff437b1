import { storesOf } from "../readings.ts";
import type { Cause } from "./types.ts";

export const redisReplica: Cause = {
  title: "Redis is a replica",
  runbook: "redisrefuses",
  next: [
    "npm run ssh -- HOST sudo halo-redis-cli info replication",
    "npm run ssh -- HOST sudo halo-redis-cli replicaof no one",
  ],
  explainedBy: {},
  detect: (s) =>
    storesOf(s, "redis").flatMap(({ host, replicaOf }) =>
      replicaOf ? [{ host, evidence: [`it follows ${replicaOf}, and refuses every visit (READONLY)`] }] : [],
    ),
};
