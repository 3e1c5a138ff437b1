import { createServer, type Server } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Application } from "./app.ts";
import { commonHeaders } from "./headers.ts";
import { problemBody } from "./problem.ts";
import type { Origin } from "./requestContext.ts";

/** A closing connection still reads its client's data for this long, in ms. */
const LINGER_MS = 2000;
/** Above nginx's limit (15 KiB): a refusal here would close one of nginx's connections. */
const MAX_HEADER_BYTES = 32_768;

/**
 * Creates the HTTP server. nginx must close idle connections first, or it sends a request on one that is closing here:
 * 75 s is above every keepalive_timeout that the nginx configuration allows.
 */
export function createHaloServer({ listener, ...kinds }: Application, origin: Origin): Server {
  const times = { keepAliveTimeout: 75_000, requestTimeout: 30_000, headersTimeout: 10_000 };
  // A request without a body has nothing to read: its stream is born ended, without the events of an end.
  const options = { maxHeaderSize: MAX_HEADER_BYTES, optimizeEmptyRequests: true };
  const server = createServer({ ...times, ...options, ...kinds }, listener);
  // Node calls destroySoon after a response with `Connection: close`.
  server.on("connection", (socket) => {
    socket.destroySoon = linger;
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => refuse(error, socket, origin));
  return server;
}

/** Answers bytes that Node could not parse as a request; they never reach Express. */
function refuse(error: NodeJS.ErrnoException, socket: Duplex, origin: Origin): void {
  if (error.code === "ECONNRESET") return void socket.destroy();
  // The rest of input that has its response already.
  if (!socket.writable) return;
  const [status, reason, detail] =
    error.code === "HPE_HEADER_OVERFLOW"
      ? ([431, "Request Header Fields Too Large", "The request's headers are too large."] as const)
      : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? ([408, "Request Timeout", "The request did not arrive in time."] as const)
        : ([400, "Bad Request", "This is not a valid HTTP request."] as const);
  const body = problemBody(status, detail);
  const headers = commonHeaders(origin).map((part, i) => (i % 2 === 0 ? `${part}: ` : `${part}\r\n`));
  socket.write(
    `HTTP/1.1 ${status} ${reason}\r\nContent-Type: application/problem+json\r\nContent-Length: ${body.length}\r\n` +
      `${headers.join("")}Connection: close\r\n\r\n${body}`,
  );
  linger.call(socket as Socket);
}

/**
 * Closes a connection without losing its last response. A close with unread data is a reset, which may overtake the response:
 * nginx then takes a client's wrong request for a failure of this backend. So the other end closes first.
 */
function linger(this: Socket): void {
  this.end();
  const timer = setTimeout(() => this.destroy(), LINGER_MS);
  this.once("close", () => clearTimeout(timer));
}
