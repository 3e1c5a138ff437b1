import { createServer } from "node:http";
import type { Logger } from "pino";
import type { Metrics } from "./metrics.ts";

const RETRY_MS = 1000;
/** A warning follows after this many failures, one minute. */
const FAILURES_BEFORE_WARNING = 60;

/**
 * Serves GET /metrics on this worker's own port; PM2 shares every other port between the workers. It never throws: while the
 * port is in use (during a reload, by the old worker) it retries each second, and logs a warning after a minute.
 *
 * @returns a function that closes the port at once
 */
export function listenForMetrics(metrics: Metrics, host: string, port: number, log: Logger): () => void {
  const server = createServer({ keepAliveTimeout: 75_000, requestTimeout: 10_000 }, async (req, res) => {
    if (req.url !== "/metrics" || (req.method !== "GET" && req.method !== "HEAD")) return void res.writeHead(404).end();
    try {
      const text = await metrics.text();
      res.writeHead(200, { "Content-Type": metrics.type }).end(text);
    } catch (error) {
      log.error({ err: error }, "metrics cannot be read");
      res.writeHead(500).end();
    }
  });
  const listen = () => server.listen({ host, port, exclusive: true });
  let failures = 0;
  let timer: NodeJS.Timeout | undefined;
  server.on("error", (error) => {
    if (++failures === FAILURES_BEFORE_WARNING)
      log.warn({ err: error }, `cannot listen on ${host}:${port} for metrics`);
    timer = setTimeout(listen, RETRY_MS).unref();
  });
  listen();
  return () => {
    clearTimeout(timer);
    server.removeAllListeners("error").on("error", () => {});
    server.close();
    server.closeAllConnections();
  };
}
