import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";

/** The body of an RFC 9457 problem. */
export function problemBody(status: number, detail: string, extra: Record<string, unknown> = {}): string {
  return JSON.stringify({ type: "about:blank", title: STATUS_CODES[status], status, detail, ...extra });
}

/**
 * Answers with an RFC 9457 problem. A request's unread body ends the connection, so nobody waits for it; what still arrives
 * is thrown away (server.ts).
 *
 * @param extra members of the problem besides those of every one
 */
export function sendProblem(
  req: IncomingMessage,
  res: ServerResponse,
  status: number,
  detail: string,
  headers: Record<string, string> = {},
  extra: Record<string, unknown> = {},
): void {
  const body = problemBody(status, detail, { request_id: res.exchange.id, ...extra });
  if (hasBody(req) && !req.complete) res.shouldKeepAlive = false;
  res.writeHead(status, {
    ...headers,
    "Content-Type": "application/problem+json",
    "Content-Length": Buffer.byteLength(body),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Served-By": res.exchange.servedBy,
    "X-Release": res.exchange.release,
    "X-Request-Id": res.exchange.id,
  });
  res.end(body);
}

/** True when the request announces a body. */
export function hasBody(req: IncomingMessage): boolean {
  const length = req.headers["content-length"];
  return (length !== undefined && length !== "0") || req.headers["transfer-encoding"] !== undefined;
}
