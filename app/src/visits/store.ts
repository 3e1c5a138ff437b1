import { EventEmitter } from "node:events";
import { type Redis, ReplyError } from "ioredis";
import type { RedisMeter } from "../metrics/redis.ts";
import { COUNT_FUNCTION, idInRedis, TOTAL_KEY } from "./function.ts";

/** A visit waits for Redis at most this long, in ms; with one tick and the response that stays below the promised second. */
export const REQUEST_TIMEOUT_MS = 900;
/**
 * While attempts to connect time out, a visit waits this long for the next attempt, in ms: a request that reaches a backend
 * after a network failure shows that the failure is over. A little above one attempt and the pause before it (redis.ts).
 */
export const RECONNECT_MS = 500;
const TICK_MS = 25;
/** The most visits in one call: bounds the time that one call keeps Redis busy. */
const MAX_BATCH = 256;

/** The visit was not counted, or its result is unknown. */
export class StoreUnavailable extends Error {
  override name = "StoreUnavailable";
}

/** The known refusals of Redis: the beginning of its message, then the meaning and the fix. Others keep Redis' own message. */
const REFUSALS: [RegExp, string][] = [
  [/^READONLY/, "it is a replica. Fix: halo-redis-cli replicaof no one"],
  [/^OOM/, "its memory is full. Fix: raise redis_max_memory"],
  [/^MISCONF/, "it cannot write to its disk. Fix: npm run diagnose"],
  [
    /^ERR Function not found/,
    `it lacks the function ${COUNT_FUNCTION}. Fix: systemctl restart redis-server, or npm run up`,
  ],
  [/^NOPERM/, "its user has no permission to count. Fix: npm run up"],
];

const refusal = ({ message }: Error): string => {
  const known = REFUSALS.find(([words]) => words.test(message));
  return `Redis refuses to count: ${known ? `${known[1]} (${message})` : message}`;
};

/** The errors of an attempt to connect that had no answer at all. */
const NO_ANSWER = new Set(["ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH"]);

interface Visit {
  readonly id: string;
  readonly deadline: number;
  readonly resolve: (total: number) => void;
  readonly reject: (error: Error) => void;
  completed: boolean;
}

/**
 * Counts visits in Redis, each exactly once.
 *
 * Batches: one call is in flight at a time, and the visits that arrive meanwhile share the next call. That saves a fifth to a
 * quarter of this process' CPU, and most of Redis' fsyncs. After a lost connection a visit is sent again on the next one; the
 * Redis function is idempotent by the visit's id. A visit is refused after {@link REQUEST_TIMEOUT_MS}.
 *
 * Circuit breaker: it opens after {@link REQUEST_TIMEOUT_MS} without Redis. Visits are then refused at once, or after
 * {@link RECONNECT_MS} while attempts to connect time out, until Redis answers. It starts closed, so the first visits of a new
 * worker wait for its connection.
 *
 * Emits "unavailable" with the reason, and "available".
 */
export class VisitStore extends EventEmitter<{ unavailable: [reason: string]; available: [] }> {
  readonly #redis: Redis;
  readonly #meter: RedisMeter;
  readonly #outstanding = new Set<Visit>();
  readonly #timer: NodeJS.Timeout;
  #waiting: Visit[] = [];
  #flushPlanned = false;
  #inFlight = false;
  #open = false;
  #brokenSince: number | undefined = performance.now();
  #reason = "not connected yet";
  #silent = false;
  #latest: number | null = null;

  /** @param redis from `connectRedis`: without an offline queue and without its own retries */
  constructor(redis: Redis, meter: RedisMeter) {
    super();
    this.#redis = redis;
    this.#meter = meter;
    redis.on("error", (error: NodeJS.ErrnoException) => {
      meter.notConnected();
      this.#reason = error.message;
      this.#silent = NO_ANSWER.has(error.code ?? "");
    });
    redis.on("close", () => {
      this.#brokenSince ??= performance.now();
    });
    redis.on("ready", () => {
      this.#refuseOverdue();
      this.#silent = false;
      this.#reason = "the connection was lost";
      this.#closeBreaker();
      this.#flush();
    });
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
  }

  /** The number of the last visit that this process counted; null before the first. */
  get latest(): number | null {
    return this.#latest;
  }

  /** False while the breaker is open. */
  get available(): boolean {
    return !this.#open;
  }

  /**
   * Counts the visit of one request and returns its number. Idempotent: the same id gets the same number.
   *
   * @param id the request's id
   * @throws {StoreUnavailable} within {@link REQUEST_TIMEOUT_MS} and a tick
   */
  count(id: string): Promise<number> {
    if (this.#open && !this.#silent) return Promise.reject(new StoreUnavailable(this.#reason));
    return new Promise((resolve, reject) => {
      const deadline = performance.now() + (this.#open ? RECONNECT_MS : REQUEST_TIMEOUT_MS);
      const visit: Visit = { id, deadline, resolve, reject, completed: false };
      this.#outstanding.add(visit);
      this.#waiting.push(visit);
      this.#planFlush();
    });
  }

  /**
   * Checks that Redis would count a visit, without counting one.
   *
   * @throws {StoreUnavailable} within {@link REQUEST_TIMEOUT_MS}
   */
  async check(): Promise<void> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new StoreUnavailable("no answer in time")), REQUEST_TIMEOUT_MS);
    try {
      await Promise.race([this.#run([]), late]);
    } catch (error) {
      if (error instanceof StoreUnavailable) throw error;
      throw new StoreUnavailable(error instanceof ReplyError ? refusal(error as Error) : this.#reason);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Closes the connection; visits that still wait are refused. */
  close(): void {
    clearInterval(this.#timer);
    this.removeAllListeners();
    this.#openBreaker("closed");
    this.#redis.disconnect();
  }

  #planFlush(): void {
    if (this.#flushPlanned || this.#redis.status !== "ready") return;
    this.#flushPlanned = true;
    // After the poll phase, so that all requests of this turn of the event loop share one call.
    setImmediate(() => {
      this.#flushPlanned = false;
      this.#flush();
    });
  }

  #flush(): void {
    const [first] = this.#waiting;
    if (this.#inFlight || first === undefined || this.#redis.status !== "ready") return;
    // Overdue: this process was frozen, and nginx has retried elsewhere. The tick refuses these visits.
    if (performance.now() >= first.deadline) return;
    void this.#send(this.#waiting.splice(0, MAX_BATCH));
  }

  async #send(batch: Visit[]): Promise<void> {
    this.#inFlight = true;
    let answered = true;
    try {
      const totals = await this.#run(batch.map((visit) => visit.id));
      this.#closeBreaker();
      this.#latest = totals.at(-1) ?? null;
      let counted = 0;
      for (const [i, visit] of batch.entries()) {
        if (!this.#complete(visit)) continue;
        visit.resolve(totals[i] as number);
        counted += 1;
      }
      this.#meter.counted(counted);
    } catch (error) {
      answered = error instanceof ReplyError;
      if (answered) this.#refuse(batch, (error as Error).message);
      else this.#waiting.push(...batch.filter((visit) => !visit.completed));
    }
    this.#inFlight = false;
    // Without an answer the connection is lost: "ready" or the tick sends again.
    if (answered) this.#flush();
  }

  async #run(ids: string[]): Promise<number[]> {
    const shortened = ids.map(idInRedis);
    return (await this.#meter.time("fcall", () =>
      this.#redis.fcall(COUNT_FUNCTION, 1, TOTAL_KEY, ...shortened),
    )) as number[];
  }

  #refuse(visits: Iterable<Visit>, reason: string): void {
    for (const visit of visits) if (this.#complete(visit)) visit.reject(new StoreUnavailable(reason));
  }

  #complete(visit: Visit): boolean {
    if (visit.completed) return false;
    visit.completed = true;
    this.#outstanding.delete(visit);
    return true;
  }

  #tick(): void {
    if (this.#open) {
      this.#tickOpen();
      return;
    }
    this.#flush();
    const now = performance.now();
    const [oldest] = this.#outstanding;
    if (this.#brokenSince !== undefined && now - this.#brokenSince >= REQUEST_TIMEOUT_MS)
      this.#openBreaker(this.#reason);
    else if (oldest !== undefined && now >= oldest.deadline) this.#openBreaker("no answer in time");
  }

  #tickOpen(): void {
    this.#refuseOverdue();
    // The connection is up (the process itself may have been frozen): close the breaker, the next visit proves it.
    if (this.#redis.status === "ready" && !this.#inFlight) this.#closeBreaker();
  }

  #refuseOverdue(): void {
    const now = performance.now();
    this.#refuse(
      this.#waiting.filter((visit) => now >= visit.deadline),
      this.#reason,
    );
    this.#waiting = this.#waiting.filter((visit) => !visit.completed);
  }

  #openBreaker(reason: string): void {
    const wasOpen = this.#open;
    this.#open = true;
    this.#reason = reason;
    this.#waiting = [];
    this.#refuse(this.#outstanding, reason);
    if (!wasOpen) this.emit("unavailable", reason);
  }

  #closeBreaker(): void {
    if (!this.#open && this.#brokenSince === undefined) return;
    this.#open = false;
    this.#brokenSince = undefined;
    this.emit("available");
  }
}
