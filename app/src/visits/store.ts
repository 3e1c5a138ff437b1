import { EventEmitter } from "node:events";
import { type Redis, ReplyError } from "ioredis";
import type { RedisMeter } from "../metrics/redis.ts";
import { COUNT_FUNCTION, idInRedis, TOTAL_KEY } from "./function.ts";

/** A visit waits this long (ms) for Redis; with one tick and the answer itself that stays under the promised second. */
export const PATIENCE_MS = 800;
/**
 * While every attempt to connect ends in silence, a visit waits this long (ms) for the next one: a cut-off backend that a
 * request reaches is cut off no longer. A little above one attempt and the pause before it (redis.ts).
 */
export const RECONNECT_MS = 500;
const TICK_MS = 25;
/** Visits in one call: bounds the time Redis is busy with one of them. */
const MAX_BATCH = 256;

/** The visit was not counted, or nobody knows whether it was. */
export class StoreAway extends Error {
  override name = "StoreAway";
}

/** What Redis' refusals mean, by their first words, and what helps. Any other one is told in Redis' own words. */
const REFUSALS: [RegExp, string][] = [
  [/^READONLY/, "it is a replica. Fix: halo-redis-cli replicaof no one"],
  [/^OOM/, "its memory is full. Fix: raise redis_max_memory"],
  [/^MISCONF/, "it cannot write to its disk. Fix: npm run diagnose"],
  [
    /^ERR Function not found/,
    `it lacks the function ${COUNT_FUNCTION}. Fix: systemctl restart redis-server, or npm run up`,
  ],
  [/^NOPERM/, "its user may not count. Fix: npm run up"],
];

const refusal = ({ message }: Error): string => {
  const known = REFUSALS.find(([words]) => words.test(message));
  return `Redis refuses to count: ${known ? `${known[1]} (${message})` : message}`;
};

/** How a connection attempt ends that nobody answered. */
const SILENT = new Set(["ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH"]);

interface Visit {
  readonly id: string;
  readonly deadline: number;
  readonly resolve: (total: number) => void;
  readonly reject: (error: Error) => void;
  settled: boolean;
}

/**
 * Counts visits in Redis, each exactly once.
 *
 * One call is under way at a time; the visits that arrive meanwhile travel together in the next one, which
 * saves a fifth to a quarter of the CPU here and most of the fsyncs there. When the connection breaks they are sent again on the next
 * one (the function knows those that were counted); one that waited {@link PATIENCE_MS} is refused. After that long
 * without Redis the breaker opens: every visit is refused at once, or after {@link RECONNECT_MS} if nothing at all comes
 * from there, until Redis answers. It starts closed, so the first visits of a fresh worker wait for its connection.
 *
 * Emits "away" with the reason and "back".
 */
export class VisitStore extends EventEmitter<{ away: [reason: string]; back: [] }> {
  readonly #redis: Redis;
  readonly #meter: RedisMeter;
  readonly #outstanding = new Set<Visit>();
  readonly #timer: NodeJS.Timeout;
  #waiting: Visit[] = [];
  #flushPlanned = false;
  #underWay = false;
  #open = false;
  #brokenSince: number | undefined = performance.now();
  #reason = "not connected yet";
  #silent = false;

  /** @param redis made by `connectRedis`: no offline queue and no resending of its own. */
  constructor(redis: Redis, meter: RedisMeter) {
    super();
    this.#redis = redis;
    this.#meter = meter;
    redis.on("error", (error: NodeJS.ErrnoException) => {
      meter.notConnected();
      this.#reason = error.message;
      this.#silent = SILENT.has(error.code ?? "");
    });
    redis.on("close", () => {
      this.#brokenSince ??= performance.now();
    });
    redis.on("ready", () => {
      this.#refuseOverdue();
      this.#silent = false;
      this.#reason = "the connection was lost";
      this.#alive();
      this.#flush();
    });
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
  }

  /** False while the breaker is open. */
  get available(): boolean {
    return !this.#open;
  }

  /**
   * Counts the visit of one request and returns its number; asked again with the same id, the same number.
   *
   * @param id names the request
   * @throws {StoreAway} within {@link PATIENCE_MS} and a tick
   */
  count(id: string): Promise<number> {
    if (this.#open && !this.#silent) return Promise.reject(new StoreAway(this.#reason));
    return new Promise((resolve, reject) => {
      const deadline = performance.now() + (this.#open ? RECONNECT_MS : PATIENCE_MS);
      const visit: Visit = { id, deadline, resolve, reject, settled: false };
      this.#outstanding.add(visit);
      this.#waiting.push(visit);
      this.#planFlush();
    });
  }

  /**
   * Asks Redis whether it would count a visit, and counts none.
   *
   * @throws {StoreAway} within {@link PATIENCE_MS}
   */
  async check(): Promise<void> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new StoreAway("no answer in time")), PATIENCE_MS);
    try {
      await Promise.race([this.#run([]), late]);
    } catch (error) {
      if (error instanceof StoreAway) throw error;
      throw new StoreAway(error instanceof ReplyError ? refusal(error as Error) : this.#reason);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the connection; visits still waiting are refused. */
  close(): void {
    clearInterval(this.#timer);
    this.removeAllListeners();
    this.#openBreaker("closed");
    this.#redis.disconnect();
  }

  #planFlush(): void {
    if (this.#flushPlanned || this.#redis.status !== "ready") return;
    this.#flushPlanned = true;
    // After the poll phase: every request that this turn of the event loop read travels together.
    setImmediate(() => {
      this.#flushPlanned = false;
      this.#flush();
    });
  }

  #flush(): void {
    const [first] = this.#waiting;
    if (this.#underWay || first === undefined || this.#redis.status !== "ready") return;
    // Overdue: this process stood still, and the balancer has asked elsewhere. The tick refuses them.
    if (performance.now() >= first.deadline) return;
    void this.#send(this.#waiting.splice(0, MAX_BATCH));
  }

  async #send(batch: Visit[]): Promise<void> {
    this.#underWay = true;
    let answered = true;
    try {
      const totals = await this.#run(batch.map((visit) => visit.id));
      this.#alive();
      let counted = 0;
      for (const [i, visit] of batch.entries()) {
        if (!this.#settle(visit)) continue;
        visit.resolve(totals[i] as number);
        counted += 1;
      }
      this.#meter.counted(counted);
    } catch (error) {
      answered = error instanceof ReplyError;
      if (answered) this.#refuse(batch, (error as Error).message);
      else this.#waiting.push(...batch.filter((visit) => !visit.settled));
    }
    this.#underWay = false;
    // Without an answer the connection is going down, or is down: the next try is for "ready" or the tick.
    if (answered) this.#flush();
  }

  async #run(ids: string[]): Promise<number[]> {
    const shortened = ids.map(idInRedis);
    return (await this.#meter.time("fcall", () =>
      this.#redis.fcall(COUNT_FUNCTION, 1, TOTAL_KEY, ...shortened),
    )) as number[];
  }

  #refuse(visits: Iterable<Visit>, reason: string): void {
    for (const visit of visits) if (this.#settle(visit)) visit.reject(new StoreAway(reason));
  }

  #settle(visit: Visit): boolean {
    if (visit.settled) return false;
    visit.settled = true;
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
    if (this.#brokenSince !== undefined && now - this.#brokenSince >= PATIENCE_MS) this.#openBreaker(this.#reason);
    else if (oldest !== undefined && now >= oldest.deadline) this.#openBreaker("no answer in time");
  }

  #tickOpen(): void {
    this.#refuseOverdue();
    // Nothing speaks against this connection: the process stood still itself, for instance. The next visit will tell.
    if (this.#redis.status === "ready" && !this.#underWay) this.#alive();
  }

  #refuseOverdue(): void {
    const now = performance.now();
    this.#refuse(
      this.#waiting.filter((visit) => now >= visit.deadline),
      this.#reason,
    );
    this.#waiting = this.#waiting.filter((visit) => !visit.settled);
  }

  #openBreaker(reason: string): void {
    const wasOpen = this.#open;
    this.#open = true;
    this.#reason = reason;
    this.#waiting = [];
    this.#refuse(this.#outstanding, reason);
    if (!wasOpen) this.emit("away", reason);
  }

  #alive(): void {
    if (!this.#open && this.#brokenSince === undefined) return;
    this.#open = false;
    this.#brokenSince = undefined;
    this.emit("back");
  }
}
