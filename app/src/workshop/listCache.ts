import { randomBytes } from "node:crypto";
import type { Redis } from "ioredis";
import type { CacheResult } from "../metrics/lists.ts";
import type { Metrics } from "../metrics/metrics.ts";
import { withTimeout } from "./database.ts";
import { resources } from "./resources.ts";

/** The hash in Redis with the generation of each list, by its resource: a random text that each write replaces. */
export const GENERATIONS_KEY = "workshop:lists";

/**
 * A list is served for this long, in ms: the bound where no new generation reached the other workers (docs/decisions/0153). A board
 * reads its lists each 15 s, so that each worker meets a list several times in a minute.
 */
export const TTL_MS = 60_000;
/** A read waits for its generation at most this long, in ms. After a failure the cache is left alone for {@link PAUSE_MS}. */
export const READ_TIMEOUT_MS = 100;
export const PAUSE_MS = 1000;
/** A write waits for the confirmation of a new generation at most this long, in ms. */
export const RENEW_TIMEOUT_MS = 250;
/** A write and its confirmation together, in ms: nginx takes a backend for dead after 2 s. */
export const WRITE_BUDGET_MS = 1950;
const REPEAT_MS = 100;
/** The longest list, and all lists of a worker, in characters of one or two bytes. A page of 100 jobs has about 75,000. */
export const MAX_LIST = 200_000;
export const MAX_LISTS = 4_000_000;

/** A response: its body, and its Link header. */
export interface Listing {
  readonly body: string;
  readonly link: string;
}

interface Entry extends Listing {
  readonly generation: string;
  /** The time before its generation was read, in ms of performance.now(). */
  readonly since: number;
  readonly size: number;
}

/**
 * Keeps lists in the memory of this worker, each with the generation under which it was read. The generations are in Redis, so that
 * a write through any worker makes the lists of all workers old.
 *
 * A read gets the generation from Redis, then the list with the same generation from memory, or else from PostgreSQL. A write
 * commits, then replaces the generations of the lists that it can change, and only then is acknowledged.
 *
 * A list that lacks a committed write is never stored under the generation of that write or a later one. Its SELECT took its
 * snapshot before the commit, and its generation was read before the SELECT began. The generation of the write was made after the
 * commit. So a read that begins after the acknowledgement finds no list without the write, whatever worker answers it.
 */
export class ListCache {
  readonly #redis: Redis;
  readonly #metrics: Pick<Metrics, "redis" | "lists">;
  readonly #enabled: boolean;
  /** By address; the oldest first. */
  readonly #entries = new Map<string, Entry>();
  #size = 0;
  /** The number of the connection to Redis, a part of each generation. */
  #connection = 0;
  #pausedUntil = Number.NEGATIVE_INFINITY;
  /** Writes whose new generation Redis has not confirmed, and the time at which every list from before them has expired. */
  #unconfirmed = 0;
  #unconfirmedUntil = 0;

  /**
   * @param redis from `connectRedis`: without an offline queue and without its own retries
   * @param enabled whether it serves lists; without, it only makes the lists of other workers old
   */
  constructor(redis: Redis, metrics: Pick<Metrics, "redis" | "lists">, enabled: boolean) {
    this.#redis = redis;
    this.#metrics = metrics;
    this.#enabled = enabled;
    // A write cannot replace a generation while Redis is away. A Redis that crashes ends the connections of all workers, so none of them
    // serves a list from before the crash.
    redis.on("close", () => {
      this.#connection += 1;
      this.#entries.clear();
      this.#size = 0;
    });
  }

  /**
   * Gives a list from memory, or else by `select`. Without Redis it is `select` alone, after {@link READ_TIMEOUT_MS} at most.
   *
   * @param list the resource that is listed
   * @param address the path and the query, which select the same rows for everybody
   */
  async read(
    list: string,
    address: string,
    select: () => Promise<Listing>,
  ): Promise<Listing & { result: "hit" | "miss" | "off" }> {
    if (!this.#enabled) return { ...(await select()), result: "off" };
    const since = performance.now();
    const generation = await this.#generation(list);
    if (generation === undefined) {
      this.#metrics.lists.read("away");
      return { ...(await select()), result: "off" };
    }
    const entry = this.#entries.get(address);
    const result = judge(entry, generation);
    this.#metrics.lists.read(result);
    if (entry && result === "hit") return { body: entry.body, link: entry.link, result };
    const { body, link } = await select();
    this.#keep(address, { body, link, generation, since, size: address.length + body.length + link.length });
    return { body, link, result: "miss" };
  }

  /**
   * Runs a write, and then makes lists old. A failed write as well: it may have committed without an answer, and the client's
   * retry, which finds the work done, fails.
   *
   * @param lists the resources whose lists it can change
   */
  async write<T>(lists: readonly string[], work: () => Promise<T>): Promise<T> {
    const deadline = performance.now() + WRITE_BUDGET_MS;
    try {
      return await work();
    } finally {
      await this.#renewOrRepeat(lists, deadline);
    }
  }

  /** The generation of a list, or undefined where it must not be used. */
  async #generation(list: string): Promise<string | undefined> {
    if (this.#redis.status !== "ready" || this.#unconfirmed > 0 || performance.now() < this.#pausedUntil)
      return undefined;
    const connection = this.#connection;
    try {
      const [generation] = await withTimeout(
        this.#metrics.redis.time("hmget", () => this.#redis.hmget(GENERATIONS_KEY, list)),
        READ_TIMEOUT_MS,
        "no generation in time",
      );
      // Without one Redis has lost it, or no write has been here: two such times are not one generation.
      return generation ? `${connection} ${generation}` : undefined;
    } catch {
      this.#pausedUntil = performance.now() + PAUSE_MS;
      return undefined;
    }
  }

  #keep(address: string, entry: Entry): void {
    this.#drop(address);
    if (entry.size > MAX_LIST) return;
    this.#entries.set(address, entry);
    this.#size += entry.size;
    for (const oldest of this.#entries.keys()) {
      if (this.#size <= MAX_LISTS) return;
      this.#drop(oldest);
    }
  }

  #drop(address: string): void {
    this.#size -= this.#entries.get(address)?.size ?? 0;
    this.#entries.delete(address);
  }

  /** Replaces generations. A write must not fail because Redis is away: after {@link RENEW_TIMEOUT_MS} this worker goes on trying. */
  async #renewOrRepeat(lists: readonly string[], deadline: number): Promise<void> {
    const left = Math.max(0, deadline - performance.now());
    try {
      await withTimeout(this.#renew(lists), Math.min(RENEW_TIMEOUT_MS, left), "not confirmed in time");
    } catch {
      this.#metrics.lists.unconfirmed();
      this.#unconfirmedUntil = performance.now() + TTL_MS;
      this.#unconfirmed += 1;
      if (this.#unconfirmed === 1) void this.#repeat();
    }
  }

  /** Replaces all generations, until Redis has confirmed it after the last unconfirmed write, or every older list has expired. */
  async #repeat(): Promise<void> {
    let confirmed = 0;
    while (confirmed < this.#unconfirmed && performance.now() < this.#unconfirmedUntil) {
      await new Promise<void>((resolve) => {
        setTimeout(resolve, REPEAT_MS).unref();
      });
      const written = this.#unconfirmed;
      try {
        await this.#renew(Object.keys(resources));
        confirmed = written;
      } catch {} // the next one may succeed
    }
    this.#unconfirmed = 0;
  }

  /** @throws {Error} where Redis has not confirmed it */
  async #renew(lists: readonly string[]): Promise<void> {
    if (this.#redis.status !== "ready") throw new Error("Redis is not connected");
    // Random, and new for each try: a generation that returned would make the lists from its first time valid again.
    const generation = randomBytes(8).toString("hex");
    const fields = Object.fromEntries(lists.map((list) => [list, generation]));
    await this.#metrics.redis.time("hset", () => this.#redis.hset(GENERATIONS_KEY, fields));
  }
}

/** Whether an entry can be served under a generation, or why not. */
function judge(entry: Entry | undefined, generation: string): CacheResult {
  if (entry === undefined) return "absent";
  if (entry.generation !== generation) return "changed";
  return performance.now() - entry.since < TTL_MS ? "hit" : "expired";
}
