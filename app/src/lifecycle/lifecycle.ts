import type { IncomingMessage, Server, ServerResponse } from "node:http";

const HEARTBEAT_MS = 100;
/** Longer than nginx's retries of one request (7 s), shorter than Redis remembers a request id (10 s, visits/count.lua). */
const STALE_MS = 8000;
/** Time to drain requests that queued up while the process was frozen, including connections not yet accepted. */
const BACKLOG_MS = 1000;

/**
 * Stops a server without losing a request. For `lameDuckMs` (lame duck) the server answers every request with
 * `Connection: close`, so that nginx drops its keepalive connections. Then it accepts no new connection and closes each one
 * that becomes idle, until none is left or `deadlineMs` has passed.
 */
export class Lifecycle {
  #stopping = false;
  #heartbeatAt = performance.now();
  #staleUntil = 0;

  constructor() {
    setInterval(() => this.#heartbeat(), HEARTBEAT_MS).unref();
  }

  #heartbeat(): void {
    const now = performance.now();
    if (now - this.#heartbeatAt > STALE_MS) this.#staleUntil = now + BACKLOG_MS;
    this.#heartbeatAt = now;
  }

  /**
   * Whether a request that is read now may have queued up while this process was frozen (a paused VM, SIGSTOP). nginx has
   * retried it on another backend by then, and Redis may have forgotten its id: an answer could count the visit twice.
   *
   * @param now in milliseconds of `performance.now()`
   */
  isStale(now: number): boolean {
    return now < this.#staleUntil || now - this.#heartbeatAt > STALE_MS;
  }

  get stopping(): boolean {
    return this.#stopping;
  }

  /** Must be called for each request before its response. */
  prepare(_req: IncomingMessage, res: ServerResponse): void {
    if (this.#stopping) res.shouldKeepAlive = false;
  }

  /** @returns whether all requests finished in time; false: the others were cut off */
  async stop(server: Server, lameDuckMs: number, deadlineMs: number): Promise<boolean> {
    this.#stopping = true;
    await new Promise((resolve) => setTimeout(resolve, lameDuckMs));

    const closed = new Promise<true>((resolve) => server.close(() => resolve(true)));
    // close() ends the connections that are idle now, but none that becomes idle later.
    const sweep = setInterval(() => server.closeIdleConnections(), 50);
    const deadline = new Promise<false>((resolve) => setTimeout(resolve, deadlineMs, false).unref());
    const finished = await Promise.race([closed, deadline]);
    clearInterval(sweep);
    if (!finished) server.closeAllConnections();
    return finished;
  }
}
