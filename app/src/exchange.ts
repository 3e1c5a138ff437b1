import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/**
 * What is known of one request from its first moment; `startedAt` is in ms of `performance.now()`, `mount` the path of the
 * router that it was given to, where that has one.
 */
export interface Exchange {
  readonly id: string;
  readonly servedBy: string;
  readonly release: string;
  readonly startedAt: number;
  mount: string;
}

declare module "node:http" {
  interface ServerResponse {
    exchange: Exchange;
  }
}

const ID = /^[0-9a-f]{32}$/;
const trust = new WeakMap<Socket, boolean>();

/**
 * Gives the request its id: the balancer's where the peer is trusted (so that a retry keeps its id), a new one otherwise.
 *
 * @param isTrusted says whether an address may name the request
 */
export function openExchange(
  req: IncomingMessage,
  res: ServerResponse,
  { servedBy, release }: Pick<Exchange, "servedBy" | "release">,
  isTrusted: (address: string) => boolean,
): void {
  let trusted = trust.get(req.socket);
  if (trusted === undefined) {
    trusted = isTrusted(req.socket.remoteAddress ?? "");
    trust.set(req.socket, trusted);
  }
  const given = trusted ? req.headers["x-request-id"] : undefined;
  const id = typeof given === "string" && ID.test(given) ? given : randomBytes(16).toString("hex");
  res.exchange = { id, servedBy, release, startedAt: performance.now(), mount: "" };
}
