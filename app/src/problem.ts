import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import { send } from "./headers.ts";
import { languageOf, wantsPage } from "./html.ts";
import { PROBLEM_PAGE_HEADERS, renderProblem } from "./problemPage.ts";

/** The body of an RFC 9457 problem. */
export function problemBody(status: number, detail: string, extra: Record<string, unknown> = {}): string {
  return JSON.stringify({ type: "about:blank", title: STATUS_CODES[status], status, detail, ...extra });
}

/**
 * Sends an RFC 9457 problem, or a page of it to a client that prefers one. If the request's body is unread, the connection closes
 * after the response, so that the service does not wait for it; the server discards the rest of the body (server.ts).
 *
 * @param extra members of the problem besides the standard ones and request_id
 */
export function sendProblem(
  req: IncomingMessage,
  res: ServerResponse,
  status: number,
  detail: string,
  headers: Record<string, string> = {},
  extra: Record<string, unknown> = {},
): void {
  const { id } = res.context;
  if (hasBody(req) && !req.complete) res.shouldKeepAlive = false;
  if (wantsPage(req)) {
    const page = renderProblem(languageOf(req), status, STATUS_CODES[status] ?? "", detail, id, wrongParameters(extra));
    send(res, status, page, "text/html; charset=utf-8", { ...PROBLEM_PAGE_HEADERS, ...headers });
  } else {
    const body = problemBody(status, detail, { request_id: id, ...extra });
    send(res, status, body, "application/problem+json", headers);
  }
}

/** The invalid parameters of a query, each with its reason: an address is all that a browser can send wrongly. */
function wrongParameters({ errors }: Record<string, unknown>): [parameter: string, reason: string][] {
  if (!Array.isArray(errors)) return [];
  return errors.flatMap(({ parameter, detail }) => (parameter === undefined ? [] : [[parameter, detail]]));
}

/** Whether the request announces a body. */
export function hasBody(req: IncomingMessage): boolean {
  const length = req.headers["content-length"];
  return (length !== undefined && length !== "0") || req.headers["transfer-encoding"] !== undefined;
}
