import type { IncomingMessage, Server, ServerResponse } from "node:http";

const LOOK_MS = 100;
/** More than the balancer gives one request (7 s), less than an id is remembered for (10 s, visits/count.lua). */
const STALE_MS = 8000;
/** In which what has waited is read, connections that were not accepted yet included. */
const BACKLOG_MS = 1000;

/**
 * Stops a server without losing a request: for `lameDuckMs` it still answers everything, each time with
 * `Connection: close`, so that the balancer gives up its kept connections by itself; then it takes no new
 * connection and closes the idle ones as they fall idle, until none is left or `deadlineMs` is over.
 */
export class Lifecycle {
  #stopping = false;
  #lookedAt = performance.now();
  #staleUntil = 0;

  constructor() {
    setInterval(() => this.#look(), LOOK_MS).unref();
  }

  #look(): void {
    const now = performance.now();
    if (now - this.#lookedAt > STALE_MS) this.#staleUntil = now + BACKLOG_MS;
    this.#lookedAt = now;
  }

  /**
   * Whether a request that arrives now may have waited here while this process stood still (a frozen VM, SIGSTOP). The
   * balancer has asked elsewhere long ago, and who counts visits forgets that after a while: answer nothing.
   */
  get stale(): boolean {
    const now = performance.now();
    return now < this.#staleUntil || now - this.#lookedAt > STALE_MS;
  }

  get stopping(): boolean {
    return this.#stopping;
  }

  /** To be called for each request before it is answered. */
  prepare(_req: IncomingMessage, res: ServerResponse): void {
    if (this.#stopping) res.shouldKeepAlive = false;
  }

  /** @returns whether all requests were finished in time (false: the rest was cut off) */
  async stop(server: Server, lameDuckMs: number, deadlineMs: number): Promise<boolean> {
    this.#stopping = true;
    await new Promise((resolve) => setTimeout(resolve, lameDuckMs));

    const closed = new Promise<true>((resolve) => server.close(() => resolve(true)));
    // close() ends the connections that are idle now, not those that fall idle later.
    const sweep = setInterval(() => server.closeIdleConnections(), 50);
    const deadline = new Promise<false>((resolve) => setTimeout(resolve, deadlineMs, false).unref());
    const finished = await Promise.race([closed, deadline]);
    clearInterval(sweep);
    if (!finished) server.closeAllConnections();
    return finished;
  }
}
