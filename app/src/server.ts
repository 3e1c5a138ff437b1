import { createServer, type Server } from "node:http";
import type { Duplex } from "node:stream";
import type { Application } from "./app.ts";
import { problemBody } from "./problem.ts";

/**
 * The HTTP server. The balancer must close idle connections first, or it meets one that is just being closed here:
 * 75 s is above every keepalive_timeout that nginx is given.
 */
export function createHaloServer({ listener, ...kinds }: Application, servedBy: string): Server {
  const times = { keepAliveTimeout: 75_000, requestTimeout: 30_000, headersTimeout: 10_000 };
  const server = createServer({ ...times, ...kinds }, listener);
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => refuse(error, socket, servedBy));
  return server;
}

/** What Node could not read as a request never reaches Express. */
function refuse(error: NodeJS.ErrnoException, socket: Duplex, servedBy: string): void {
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  const [status, reason, detail] =
    error.code === "HPE_HEADER_OVERFLOW"
      ? ([431, "Request Header Fields Too Large", "The request's headers are too large."] as const)
      : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? ([408, "Request Timeout", "The request did not arrive in time."] as const)
        : ([400, "Bad Request", "This is not a valid HTTP request."] as const);
  const body = problemBody(status, detail);
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\nContent-Type: application/problem+json\r\nContent-Length: ${body.length}\r\n` +
      `X-Served-By: ${servedBy}\r\nConnection: close\r\n\r\n${body}`,
  );
}
