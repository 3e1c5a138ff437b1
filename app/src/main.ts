import { once } from "node:events";
import { writeSync } from "node:fs";
import { buildApp } from "./app.ts";
import { type Config, ConfigError, EXIT_CONFIG, readConfig } from "./config.ts";
import { Lifecycle } from "./lifecycle/lifecycle.ts";
import { listenForMetrics } from "./metrics/listener.ts";
import { Metrics } from "./metrics/metrics.ts";
import { readRelease } from "./release.ts";
import { createLog } from "./requestLog.ts";
import { createHaloServer } from "./server.ts";
import { connectRedis } from "./visits/redis.ts";
import { VisitStore } from "./visits/store.ts";
import { Database } from "./workshop/database.ts";
import { ListCache } from "./workshop/listCache.ts";

function configure(): Config {
  try {
    return readConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // Not console.error: PM2 makes it a message to its daemon, and the exit could overtake that message.
    writeSync(2, `${error.message}\n`);
    process.exit(EXIT_CONFIG);
  }
}

const config = configure();
const log = createLog(config.LOG_LEVEL);
const release = readRelease();

/** Exits, because PM2 shows a process that fails without an exit as "online". */
function die(error: unknown, message: string): never {
  log.fatal({ err: error }, message);
  process.exit(1);
}
process.on("uncaughtException", (error) => die(error, "uncaught exception"));
process.on("unhandledRejection", (error) => die(error, "unhandled rejection"));

const metrics = new Metrics(release);
const redis = connectRedis(config);
const store = new VisitStore(redis, metrics.redis);
store.on("unavailable", (reason) => log.warn({ reason }, "redis is unavailable: visits are refused"));
store.on("available", () => log.info("redis is available"));

const { PGHOST } = config;
const database =
  PGHOST === undefined ? undefined : new Database({ ...config, PGHOST }, config.HALO_NAME, metrics.postgres);
database?.on("unavailable", (reason) => log.warn({ reason }, "postgres is unavailable: the workshop answers 503"));
database?.on("available", () => log.info("postgres is available"));
const workshop = database && { database, cache: new ListCache(redis, metrics, config.WORKSHOP_CACHE === "on") };

const lifecycle = new Lifecycle();
const app = buildApp({
  name: config.HALO_NAME,
  release,
  trustedProxies: config.TRUSTED_PROXIES,
  requestsLoggedPerSecond: config.LOG_REQUESTS_PER_SECOND,
  store,
  workshop,
  login: config.WORKSHOP_LOGIN === "on",
  lifecycle,
  metrics,
  log,
});
const server = createHaloServer(app, { servedBy: config.HALO_NAME, release });
const { HALO_METRICS_PORT: port } = config;
const closeMetrics =
  port === undefined ? undefined : listenForMetrics(metrics, config.HALO_HOST, port + config.NODE_APP_INSTANCE, log);

async function stop(signal: string): Promise<void> {
  if (lifecycle.stopping) return;
  log.info({ signal }, "stopping");
  closeMetrics?.();
  const finished = await lifecycle.stop(server, config.LAME_DUCK_MS, config.SHUTDOWN_DEADLINE_MS);
  store.close();
  await database?.close();
  log.info({ finished }, finished ? "stopped" : "stopped at the deadline; unfinished requests were cut off");
  process.exit(0);
}
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => void stop(signal));
// PM2 sends this instead of a signal when an app has shutdown_with_message.
process.on("message", (message) => {
  if (message === "shutdown") void stop("shutdown message");
});

server.listen({ host: config.HALO_HOST, port: config.HALO_PORT });
try {
  await once(server, "listening");
} catch (error) {
  die(error, `cannot listen on ${config.HALO_HOST}:${config.HALO_PORT}`);
}
log.info({ release, host: config.HALO_HOST, port: config.HALO_PORT, node: process.version }, "listening");
process.send?.("ready");
