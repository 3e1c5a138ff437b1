import { type RequestHandler, Router } from "express";
import { send, sendJson } from "../headers.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Lifecycle } from "./lifecycle.ts";

/** The service's dependencies by name; `check` throws with the reason while one is unavailable. */
export type Dependencies = Record<string, { check(): Promise<void> }>;

/** /healthz (liveness), /readyz (readiness: the dependencies are available, no shutdown), /version, and this worker's /metrics. */
export function lifecycleRoutes(
  dependencies: Dependencies,
  lifecycle: Lifecycle,
  release: string,
  metrics: Metrics,
): Router {
  const unready = async (): Promise<{ reason: string; missing?: string[] } | undefined> => {
    if (lifecycle.stopping) return { reason: "shutting down" };
    const checks = Object.entries(dependencies).map(([name, dependency]) =>
      dependency.check().then(
        () => [],
        (error: Error) => [{ name, reason: `${name}: ${error.message}` }],
      ),
    );
    const failed = (await Promise.all(checks)).flat();
    if (failed.length === 0) return undefined;
    return { reason: failed.map(({ reason }) => reason).join("; "), missing: failed.map(({ name }) => name) };
  };

  // `missing` lists the unavailable dependencies: a deploy's gate then does not blame the release for them.
  const ready: RequestHandler = async (_req, res) => {
    const why = await unready();
    if (why === undefined) sendJson(res, 200, { status: "ready" });
    else sendJson(res, 503, { status: "unready", ...why });
  };

  const router = Router();
  router.get("/healthz", (_req, res) => sendJson(res, 200, { status: "ok" }));
  router.get("/readyz", ready);
  router.get("/version", (_req, res) => sendJson(res, 200, { release }));
  router.get("/metrics", async (_req, res) => send(res, 200, await metrics.text(), metrics.type));
  return router;
}
