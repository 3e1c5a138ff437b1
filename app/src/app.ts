import { IncomingMessage, type RequestListener, ServerResponse } from "node:http";
import express, { type ErrorRequestHandler, type Express, type RequestHandler, Router } from "express";
import type { Logger } from "pino";
import type { Lifecycle } from "./lifecycle/lifecycle.ts";
import { lifecycleRoutes } from "./lifecycle/routes.ts";
import type { Metrics } from "./metrics/metrics.ts";
import { sendProblem } from "./problem.ts";
import { attachContext } from "./requestContext.ts";
import { createRequestLog } from "./requestLog.ts";
import { stateRoute, visitRoute } from "./visits/route.ts";
import type { VisitStore } from "./visits/store.ts";
import { type Stores, workshopRoutes } from "./workshop/routes.ts";

/** The dependencies and settings of the application. */
export interface AppDependencies {
  /** This host's name: `container_id` and X-Served-By. */
  readonly name: string;
  readonly release: string;
  /** Addresses whose X-Forwarded-For, X-Request-Id and X-Halo-Person are accepted. */
  readonly trustedProxies: string[];
  readonly requestsLoggedPerSecond: number;
  readonly store: VisitStore;
  /** Without one the application has no workshop. */
  readonly workshop?: Stores | undefined;
  /** Whether the workshop answers a person alone whose login the balancer has checked. */
  readonly login?: boolean;
  readonly lifecycle: Lifecycle;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/** The listener and the classes that node:http's createServer takes. */
export interface Application {
  readonly listener: RequestListener;
  readonly IncomingMessage: typeof IncomingMessage;
  readonly ServerResponse: typeof ServerResponse;
}

/** Builds the application; it has no effect until it is given to a server. */
export function buildApp({
  name,
  release,
  trustedProxies,
  requestsLoggedPerSecond,
  store,
  workshop,
  login = false,
  lifecycle,
  metrics,
  log,
}: AppDependencies): Application {
  const app = express();
  app.set("env", "production");
  app.set("etag", false);
  app.set("x-powered-by", false);
  app.set("query parser", false);
  app.set("trust proxy", trustedProxies);

  const visit = visitRoute(store, name, (error, id) => log.debug({ err: error, id }, "visit not counted"));
  // First, because it receives thousands of requests a second: app.get("/") would match each with a regular expression. The
  // metrics take the route's name from req.route.
  const root = Router().route("/");
  app.use((req, res, next) => {
    if (req.url !== "/" || (req.method !== "GET" && req.method !== "HEAD")) return next();
    req.route = root;
    return visit(req, res, next);
  });
  app.get("/", visit); // with a query
  app.get("/visits", stateRoute(store));
  if (workshop) app.use("/api", mountedAt("/api"), workshopRoutes(workshop, release, login));
  const dependencies = { redis: store, ...(workshop && { postgres: workshop.database }) };
  app.use(lifecycleRoutes(dependencies, lifecycle, release, metrics));
  // One route for each path: a route of several paths has no single name in the metrics.
  for (const path of ["/", "/visits", "/healthz", "/readyz", "/version", "/metrics"]) app.all(path, methodNotAllowed);
  app.use(notFound, failed(log));

  const isTrusted = app.get("trust proxy fn") as (address: string, hop: number) => boolean;
  const logRequest = createRequestLog(log, requestsLoggedPerSecond);
  const onClose = function (this: ServerResponse) {
    const ms = performance.now() - this.context.startedAt;
    metrics.requests.end(this, ms);
    logRequest(this, ms);
  };
  const origin = { servedBy: name, release };
  const listener: RequestListener = (req, res) => {
    const startedAt = performance.now();
    // nginx sees a broken connection and retries on another backend.
    if (lifecycle.isStale(startedAt)) return void req.socket.destroy();
    metrics.requests.begin();
    attachContext(req, res, origin, startedAt, (address) => isTrusted(address, 0));
    lifecycle.prepare(req, res);
    res.on("close", onClose);
    app(req as express.Request, res as express.Response, (error) => unhandled(error, req, res));
  };
  return { listener, ...expressPrototypes(app) };
}

/**
 * Express replaces the prototype of each request and response, and V8 then discards its optimizations for their shape.
 * Instances of these classes have Express' prototypes from the start, so the replacement changes nothing.
 */
function expressPrototypes(app: Express): Pick<Application, "IncomingMessage" | "ServerResponse"> {
  class Request extends IncomingMessage {}
  class Response extends ServerResponse {
    // nginx replaces it by its own.
    override sendDate = false;
  }
  Object.setPrototypeOf(Request.prototype, app.request);
  Object.setPrototypeOf(Response.prototype, app.response);
  app.request = Request.prototype as express.Request;
  app.response = Response.prototype as express.Response;
  return { IncomingMessage: Request, ServerResponse: Response as typeof ServerResponse };
}

const mountedAt =
  (path: string): RequestHandler =>
  (_req, res, next) => {
    res.context.mount = path;
    next();
  };

const NO_SUCH_PATH = "This path does not exist.";
const FAILED = "The service failed to handle this request.";

const methodNotAllowed: RequestHandler = (req, res) =>
  sendProblem(req, res, 405, `${req.method} is not allowed for this path.`, { Allow: "GET, HEAD" });

const notFound: RequestHandler = (req, res) => {
  try {
    decodeURIComponent(req.path);
  } catch {
    return sendProblem(req, res, 400, "The path's percent-encoding is malformed.");
  }
  sendProblem(req, res, 404, NO_SUCH_PATH);
};

/**
 * Responds where no handler has: Express cannot read the path, or `failed` failed itself. Express would build a handler of its
 * own for each request, which waits for the end of a request that Node made without one (`optimizeEmptyRequests`).
 */
function unhandled(error: unknown, req: IncomingMessage, res: ServerResponse): void {
  if (res.headersSent) return void res.destroy();
  if (error) sendProblem(req, res, 500, FAILED);
  else sendProblem(req, res, 404, NO_SUCH_PATH);
}

const failed =
  (log: Logger): ErrorRequestHandler =>
  (error, req, res, _next) => {
    const status =
      error instanceof Error && "status" in error && Number(error.status) < 500 ? Number(error.status) : 500;
    if (status === 500) log.error({ err: error, id: res.context.id }, "request failed");
    if (res.headersSent) return void res.destroy();
    for (const header of res.getHeaderNames()) res.removeHeader(header);
    sendProblem(req, res, status, status === 500 ? FAILED : "The request is malformed.");
  };
