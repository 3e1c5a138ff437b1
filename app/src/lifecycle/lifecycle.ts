import type { IncomingMessage, Server, ServerResponse } from "node:http";

/**
 * Stops a server without losing a request: for `lameDuckMs` it still answers everything, each time with
 * `Connection: close`, so that the balancer gives up its kept connections by itself; then it takes no new
 * connection and closes the idle ones as they fall idle, until none is left or `deadlineMs` is over.
 */
export class Lifecycle {
  #stopping = false;

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
