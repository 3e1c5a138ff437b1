import { type RequestHandler, Router } from "express";
import { send, sendJson } from "../headers.ts";
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
