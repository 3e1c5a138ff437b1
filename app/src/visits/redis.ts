import { Redis } from "ioredis";
import type { Config } from "../config.ts";

/**
 * Connects to Redis and reconnects for ever; never throws. The timeouts bound the detection of an outage and of its end:
 * 1 s without an answer closes the connection, an attempt to connect ends after 300 ms, and the next one starts 20 ms later.
 * All of them count towards the time that a visit may take (store.ts).
 */
export function connectRedis(config: Config): Redis {
  return new Redis({
    host: config.REDIS_HOST,
    port: config.REDIS_PORT,
    username: config.REDIS_USERNAME,
    password: config.REDIS_PASSWORD,
    connectTimeout: 300,
    socketTimeout: 1000,
    retryStrategy: () => 20,
    // The default waits a second or more between checks of a Redis that loads its append-only file.
    maxLoadingRetryTime: 20,
    // VisitStore queues and resends: a promise must be rejected as soon as the connection is lost.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // CLIENT SETINFO would need one more permission.
    disableClientInfo: true,
  });
}
