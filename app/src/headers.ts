import type { ServerResponse } from "node:http";
import type { Origin } from "./requestContext.ts";

/**
 * The headers of every response, in writeHead's flat form: name, value, name, value. Flat, because GET / then appends its own
 * headers without a copy. A request that could not be parsed has no id.
 */
export function commonHeaders({
  servedBy,
  release,
  id,
  person,
}: Origin & { id?: string; person?: string | undefined }): string[] {
  const headers = [
    "Cache-Control",
    "no-store",
    "X-Content-Type-Options",
    "nosniff",
    "X-Served-By",
    servedBy,
    "X-Release",
    release,
  ];
  if (id !== undefined) headers.push("X-Request-Id", id);
  if (person !== undefined) headers.push("X-Person", person);
  return headers;
}

/** Sends a whole response with the common headers, the headers of its body, and `headers`. */
export function send(
  res: ServerResponse,
  status: number,
  body: string,
  type: string,
  headers: Record<string, string> = {},
): void {
  const ofBody = { "Content-Type": type, "Content-Length": String(Buffer.byteLength(body)) };
  writeHead(res, status, { ...ofBody, ...headers });
  res.end(body);
}

/** Sends a response without a body. */
export function sendEmpty(res: ServerResponse, status: number, headers: Record<string, string> = {}): void {
  writeHead(res, status, headers);
  res.end();
}

function writeHead(res: ServerResponse, status: number, headers: Record<string, string>): void {
  res.writeHead(status, [...commonHeaders(res.context), ...Object.entries(headers).flat()]);
}

/** The type of a JSON body. */
export const JSON_TYPE = "application/json; charset=utf-8";

/** Sends a value as JSON. */
export function sendJson(
  res: ServerResponse,
  status: number,
  value: unknown,
  headers: Record<string, string> = {},
): void {
  send(res, status, JSON.stringify(value), JSON_TYPE, headers);
}
