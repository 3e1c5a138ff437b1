import { createServer, type Server } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Application } from "./app.ts";
import { commonHeaders, type Origin } from "./headers.ts";
import { problemBody } from "./problem.ts";

/** How long a connection that is closed still takes what its client has yet to send, in ms. */
const LINGER_MS = 2000;
/** Above what the balancer lets a client send (15 KiB): refused here, it would cost a connection of the balancer's. */
const MAX_HEADER_BYTES = 32_768;

/**
 * The HTTP server. The balancer must close idle connections first, or it meets one that is just being closed here:
 * 75 s is above every keepalive_timeout that nginx is given.
 */
export function createHaloServer({ listener, ...kinds }: Application, origin: Origin): Server {
  const times = { keepAliveTimeout: 75_000, requestTimeout: 30_000, headersTimeout: 10_000 };
  const server = createServer({ ...times, maxHeaderSize: MAX_HEADER_BYTES, ...kinds }, listener);
  // Node calls it after an answer with `Connection: close`.
  server.on("connection", (socket) => {
    socket.destroySoon = linger;
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => refuse(error, socket, origin));
  return server;
}

/** What Node could not read as a request never reaches Express. */
function refuse(error: NodeJS.ErrnoException, socket: Duplex, origin: Origin): void {
  if (error.code === "ECONNRESET") return void socket.destroy();
  // Already answered: the rest of what could not be read.
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
 * Closes a connection without losing its last answer. To close while something is unread is a reset, which may overtake the
 * answer: the balancer then takes a client's wrong request for a failure of this backend. So the other end closes first.
 */
function linger(this: Socket): void {
  this.end();
  const timer = setTimeout(() => this.destroy(), LINGER_MS);
  this.once("close", () => clearTimeout(timer));
}
