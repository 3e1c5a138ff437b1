import type { Way } from "../cluster/sites.ts";

/**
 * The requests, and how often they are sent: a new connection for each request, or kept ones. With `writes` each request makes a
 * customer instead of a visit: its key begins so, and it is sent again until it is acknowledged.
 */
export type LoadOptions = {
  host: string;
  port: number;
  domain: string;
  /** By https, to this name, checked by this CA, by Node's own or not at all. */
  tls?: Way["tls"];
  /** The header of a site with a login. */
  authorization?: string;
  /** Requests a second, each sent when it is due. */
  rate: number;
  fresh?: boolean;
  writes?: string;
  /** Seconds for which writes that wait are sent again once the load stops, 10 without it. */
  lastSeconds?: number;
  /** The path to request instead of a visit; of its answer only the status counts, and nothing is sent again. */
  path?: string;
  /** With a path: how it is requested, and the name of the load in the balancer's log. */
  method?: "GET" | "POST";
  agent?: string;
  /** Ends by itself after so many requests. */
  most?: number;
  /** How many connections there may be; a request that finds none free waits, which counts. */
  connections?: number;
  /** Instead of a rate: so many clients at once, each of which posts a row and gets the path so often, without a pause. */
  clients?: { count: number; times: number };
};

/** The load's retry budget: writes that are sent again, for each new one. */
const RETRIES_PER_WRITE = 4;

/**
 * Milliseconds until a write is sent again that has been tried so often, before a random half is added or taken off: twice as long each time,
 * up to 30 s, and never so short that the load exceeds its retry budget. Without the budget, the 250 rows of a long outage were sent 12 times
 * a second by a load of one write in two seconds. Emulated hosts refused almost all of them, wrote ten a minute, and did not come back.
 *
 * @param waiting the writes that wait to be sent again
 * @param rate new writes a second
 */
export const retryDelay = (tries: number, retryAfter: boolean, waiting: number, rate: number): number =>
  Math.max(Math.min((retryAfter ? 1000 : 200) * 2 ** tries, 30_000), (waiting / (RETRIES_PER_WRITE * rate)) * 1000);

/** Where a load's writes go. */
export const writesPath = "/api/customers";
