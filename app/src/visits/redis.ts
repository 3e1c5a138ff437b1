import { Redis } from "ioredis";
import type { Config } from "../config.ts";

/**
 * Connects to Redis and keeps trying; never throws. The options decide how soon an outage is seen and is over:
 * a hung Redis costs its connection after 1 s of silence, an attempt to connect ends after 300 ms, and a new one starts
 * 20 ms later: each of them is taken from the time for which a visit waits (store.ts).
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
    // The default waits a second or more between looks at a Redis that loads its append-only file.
    maxLoadingRetryTime: 20,
    // VisitStore does these itself: a promise must settle as soon as the connection is gone.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // CLIENT SETINFO would need one more permission.
    disableClientInfo: true,
  });
}
