import { backendDown } from "./backend-down.ts";
import { certificate } from "./certificate.ts";
import { connections } from "./connections.ts";
import { cpu } from "./cpu.ts";
import { databaseDown } from "./database-down.ts";
import { databaseLogin } from "./database-login.ts";
import { disk } from "./disk.ts";
import { leak } from "./leak.ts";
import { memory } from "./memory.ts";
import { redisData } from "./redis-data.ts";
import { redisDown } from "./redis-down.ts";
import { redisMemory } from "./redis-memory.ts";
import { redisPersistence } from "./redis-persistence.ts";
import { redisReplica } from "./redis-replica.ts";
import { slowQueries } from "./slow-queries.ts";
import { starvation } from "./starvation.ts";
import { timeouts } from "./timeouts.ts";
import type { Cause, CauseName } from "./types.ts";
import { uneven } from "./uneven.ts";
import { unhealthy } from "./unhealthy.ts";

/** Every cause by its name. */
export const causes: Record<CauseName, Cause> = {
  "backend-down": backendDown,
  "redis-down": redisDown,
  "database-down": databaseDown,
  "database-login": databaseLogin,
  disk,
  "redis-data": redisData,
  "redis-replica": redisReplica,
  "redis-memory": redisMemory,
  "redis-persistence": redisPersistence,
  connections,
  cpu,
  "slow-queries": slowQueries,
  leak,
  memory,
  starvation,
  unhealthy,
  timeouts,
  uneven,
  certificate,
};
