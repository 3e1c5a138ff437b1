import { type RequestHandler, Router } from "express";
import type { Metrics } from "../metrics/metrics.ts";
import type { Lifecycle } from "./lifecycle.ts";

/** What the service's work needs; `check` throws with the reason where it is not there. */
export type Needs = Record<string, { check(): Promise<void> }>;

/** /healthz (the process lives), /readyz (it can do its work and is not stopping), /version, and /metrics of this worker. */
export function lifecycleRoutes(needs: Needs, lifecycle: Lifecycle, release: string, metrics: Metrics): Router {
  const unready = async (): Promise<{ reason: string; missing?: string[] } | undefined> => {
    if (lifecycle.stopping) return { reason: "shutting down" };
    const asked = Object.entries(needs).map(([name, need]) =>
      need.check().then(
        () => [],
        (error: Error) => [{ name, reason: `${name}: ${error.message}` }],
      ),
    );
    const failed = (await Promise.all(asked)).flat();
    if (failed.length === 0) return undefined;
    return { reason: failed.map(({ reason }) => reason).join("; "), missing: failed.map(({ name }) => name) };
  };

  // `missing` names what the release itself cannot help: a gate can tell a bad release from a store that is away.
  const ready: RequestHandler = async (_req, res) => {
    const why = await unready();
    if (why === undefined) res.json({ status: "ready" });
    else res.status(503).json({ status: "unready", ...why });
  };

  const router = Router();
  router.use((_req, res, next) => {
    res.set({
      "Cache-Control": "no-store",
      "X-Content-Type-Options": "nosniff",
      "X-Served-By": res.exchange.servedBy,
      "X-Release": res.exchange.release,
      "X-Request-Id": res.exchange.id,
    });
    next();
  });
  router.get("/healthz", (_req, res) => void res.json({ status: "ok" }));
  router.get("/readyz", ready);
  router.get("/version", (_req, res) => void res.json({ release }));
  router.get("/metrics", async (_req, res) => {
    const text = await metrics.text();
    res.setHeader("Content-Type", metrics.type);
    res.end(text);
  });
  return router;
}
