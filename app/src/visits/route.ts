import type { IncomingMessage } from "node:http";
import type { Request, RequestHandler, Response } from "express";
import { commonHeaders, JSON_TYPE, sendJson } from "../headers.ts";
import { wantsPage } from "../html.ts";
import { hasBody, sendProblem } from "../problem.ts";
import { CONNECTED, DISCONNECTED, INFO, MESSAGE, RETRY_AFTER_S } from "./contract.ts";
import { PAGE_POLICY, renderPage } from "./page.ts";
import type { VisitStore } from "./store.ts";

const MAX_BODY_BYTES = 16_384;

/**
 * GET /: one visit, as JSON or as a page. HEAD / counts nothing, because its response has no body for a number, and link
 * checkers use it; its status shows whether a GET would be counted.
 *
 * @param servedBy this host's name
 * @param onFailure receives the error of a visit that could not be counted
 */
export function visitRoute(
  store: VisitStore,
  servedBy: string,
  onFailure: (error: unknown, id: string) => void,
): RequestHandler {
  // Prepared up to the number, which is the only part that changes.
  const json = (status: string, total: number | null) =>
    JSON.stringify({
      container_id: servedBy,
      message: MESSAGE,
      database_status: status,
      info: INFO,
      total_visits: total,
    });
  const prefix = json(CONNECTED, 0).slice(0, -2);
  const unavailable = json(DISCONNECTED, null);

  const respond = (req: Request, res: Response, total: number | null) => {
    if (wantsPage(req)) return send(res, total, "text/html; charset=utf-8", renderPage(servedBy, total), PAGE_HEADERS);
    send(res, total, JSON_TYPE, total === null ? unavailable : `${prefix}${total}}`, []);
  };

  return (req, res) => {
    if (hasBody(req)) return refuseBody(req, res);
    if (req.method === "HEAD") return respond(req, res, store.available ? 0 : null);
    store.count(res.context.id).then(
      (total) => respond(req, res, total),
      (error) => {
        onFailure(error, res.context.id);
        respond(req, res, null);
      },
    );
  };
}

/**
 * GET /visits: the state of the counter as this process knows it, without a visit and without a call to Redis. The counter's page
 * learns from it which backends answer.
 */
export function stateRoute(store: VisitStore): RequestHandler {
  return (_req, res) => {
    res.context.logged = false;
    sendJson(res, 200, {
      last_visit: store.latest,
      database_status: store.available ? CONNECTED : DISCONNECTED,
    });
  };
}

const PAGE_HEADERS = ["Content-Security-Policy", PAGE_POLICY, "Referrer-Policy", "no-referrer"];

function send(res: Response, total: number | null, type: string, body: string, extra: string[]): void {
  const headers = commonHeaders(res.context);
  headers.push("Content-Type", type, "Vary", "Accept", ...extra);
  if (res.req.method !== "HEAD") headers.push("Content-Length", String(Buffer.byteLength(body)));
  if (total === null) headers.push("Retry-After", String(RETRY_AFTER_S));
  res.writeHead(total === null ? 503 : 200, headers);
  res.end(body);
}

function refuseBody(req: IncomingMessage, res: Response): void {
  if (Number(req.headers["content-length"]) > MAX_BODY_BYTES)
    sendProblem(req, res, 413, "The request's body is too large.");
  else sendProblem(req, res, 415, "This resource takes no request body.");
}
