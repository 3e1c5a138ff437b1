import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** The context of one request, complete before any handler runs. */
export interface RequestContext {
  readonly id: string;
  /** This host's name. */
  readonly servedBy: string;
  readonly release: string;
  /** In milliseconds of `performance.now()`. */
  readonly startedAt: number;
  /** The person who has logged in at the balancer; undefined without a login. */
  readonly person?: string | undefined;
  /** The path of the router that handles the request; empty without one. */
  mount: string;
  /** False for a request that open pages repeat: the log would have little else. */
  logged: boolean;
}

/** The process that answers: this host's name and the release that it runs. */
export type Origin = Pick<RequestContext, "servedBy" | "release">;

declare module "node:http" {
  interface ServerResponse {
    context: RequestContext;
  }
}

const ID = /^[0-9a-f]{32}$/;
const PERSON = /^[A-Za-z0-9._-]{1,64}$/;
const trust = new WeakMap<Socket, boolean>();

/**
 * Attaches the context to a response. The id is the balancer's if the peer is trusted, so that a retry keeps its id;
 * otherwise a new one. Nobody but a trusted peer can name a person.
 *
 * @param startedAt in milliseconds of `performance.now()`
 * @param isTrusted whether a peer's X-Request-Id and X-Halo-Person are accepted, by its address
 */
export function attachContext(
  req: IncomingMessage,
  res: ServerResponse,
  { servedBy, release }: Origin,
  startedAt: number,
  isTrusted: (address: string) => boolean,
): void {
  let trusted = trust.get(req.socket);
  if (trusted === undefined) {
    trusted = isTrusted(req.socket.remoteAddress ?? "");
    trust.set(req.socket, trusted);
  }
  const given = (name: string, pattern: RegExp) => {
    const value = trusted ? req.headers[name] : undefined;
    return typeof value === "string" && pattern.test(value) ? value : undefined;
  };
  const id = given("x-request-id", ID) ?? randomBytes(16).toString("hex");
  const person = given("x-halo-person", PERSON);
  res.context = { id, servedBy, release, startedAt, person, mount: "", logged: true };
}
