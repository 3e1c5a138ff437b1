import type { IncomingMessage } from "node:http";
import type { Request, RequestHandler, Response } from "express";
import { commonHeaders, JSON_TYPE } from "../headers.ts";
import { hasBody, sendProblem } from "../problem.ts";
import { CONNECTED, DISCONNECTED, INFO, MESSAGE, RETRY_AFTER_S } from "./contract.ts";
import { PAGE_POLICY, renderPage } from "./page.ts";
import type { VisitStore } from "./store.ts";

const MAX_BODY_BYTES = 16_384;

/**
 * GET /: one visit, as JSON or as a page. HEAD / counts nothing: it has no body that could show a number, and link
 * checkers use it; its status tells whether a GET would be counted.
 *
 * @param servedBy this host's name
 * @param onAway is told about a visit that could not be counted
 */
export function visitRoute(
  store: VisitStore,
  servedBy: string,
  onAway: (error: unknown, id: string) => void,
): RequestHandler {
  // The answer is one string with the number at its end: nothing else in it changes.
  const json = (status: string, total: number | null) =>
    JSON.stringify({
      container_id: servedBy,
      message: MESSAGE,
      database_status: status,
      info: INFO,
      total_visits: total,
    });
  const prefix = json(CONNECTED, 0).slice(0, -2);
  const away = json(DISCONNECTED, null);

  const answer = (req: Request, res: Response, total: number | null) => {
    if (wantsPage(req)) return send(res, total, "text/html; charset=utf-8", renderPage(servedBy, total), PAGE_HEADERS);
    send(res, total, JSON_TYPE, total === null ? away : `${prefix}${total}}`, []);
  };

  return (req, res) => {
    if (hasBody(req)) return refuseBody(req, res);
    if (req.method === "HEAD") return answer(req, res, store.available ? 0 : null);
    store.count(res.context.id).then(
      (total) => answer(req, res, total),
      (error) => {
        onAway(error, res.context.id);
        answer(req, res, null);
      },
    );
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

function wantsPage(req: Request): boolean {
  return req.headers.accept?.includes("text/html") === true && req.accepts(["json", "html"]) === "html";
}

function refuseBody(req: IncomingMessage, res: Response): void {
  if (Number(req.headers["content-length"]) > MAX_BODY_BYTES)
    sendProblem(req, res, 413, "The request's body is too large.");
  else sendProblem(req, res, 415, "This resource takes no request body.");
}
