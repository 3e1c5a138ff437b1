import { EventEmitter } from "node:events";
import { Socket } from "node:net";
import {
  Kysely,
  PostgresDialect,
  type PostgresPool,
  type PostgresPoolClient,
  type PostgresQueryResult,
  sql,
} from "kysely";
import pg from "pg";
import type { PostgresMeter } from "../metrics/postgres.ts";

/** How to reach PostgreSQL, in libpq's names; PG_POOL_MAX is the most connections of this process. */
export interface DatabaseSettings {
  readonly PGHOST: string;
  readonly PGPORT: number;
  readonly PGDATABASE: string;
  readonly PGUSER: string;
  readonly PGPASSWORD?: string | undefined;
  readonly PG_POOL_MAX: number;
}

export type Connection = Kysely<unknown>;

/** From its turn on, a request has a connection and all its answers within this (ms), or is refused: below the promised second. */
const PATIENCE_MS = 900;
/** Of this, so long for a connection, whether PostgreSQL's host or PostgreSQL itself is silent. */
const CONNECT_MS = 600;
/**
 * A login may go on so long (ms), for whoever comes next. PostgreSQL works through each, also those that were given up: if
 * all were given up after CONNECT_MS, one that needs longer for a login would never let anybody in.
 */
const LOGIN_MS = 5000;
/** PostgreSQL gives up a statement by itself after this (ms), before the connection has to be thrown away. */
const STATEMENT_MS = 700;
/** How many requests wait for their turn while all connections are in use, and how long (ms); refused at once if PostgreSQL goes away. */
const MAX_WAITING = 400;
const WAIT_MS = 1300;
/** The wait and the work together end before the balancer takes this backend for a dead one, after 2 s. */
const ALL_MS = 1900;
/** A failure means that PostgreSQL is away if it has answered nobody for this long (ms); else it may be this request's own. */
const SILENCE_MS = 500;
/** Ended connections have so long (ms) to say goodbye. */
const GOODBYE_MS = 500;
const INT8 = 20;

/** PostgreSQL did not do what was asked, and nobody knows whether it will later; a retry is in order. */
export class DatabaseAway extends Error {
  override name = "DatabaseAway";
}

/** SQLSTATEs that say "not to anybody now": connection, resources, operator, system; login; no database. */
const AWAY = /^(?:08|53|57P|58|28|3D000)/;
/** Those that say "not this now": given up for its time, a lock, a collision, or a server that only reads. */
const NOT_NOW = /^(?:57014|55P03|40001|40P01|25006)/;
/** A rule that a row breaks: the answer is a 409 or 422, and no fault of anybody's. */
const REFUSED = /^23/;
const COLLIDED = new Set(["40001", "40P01"]);

/**
 * PostgreSQL behind a pool of bounded size and bounded waits; it reconnects by itself. Every failure to be reached is a
 * {@link DatabaseAway} within a second, whether PostgreSQL refuses, is silent, frozen, full, read-only or shutting down;
 * any other complaint stays a `pg.DatabaseError`.
 *
 * Emits "away" with the reason and "back".
 */
export class Database extends EventEmitter<{ away: [reason: string]; back: [] }> {
  readonly #pool: pg.Pool;
  readonly #kysely: Connection;
  readonly #meter: PostgresMeter;
  readonly #waiting = new Set<{ start: () => void; refuse: (error: Error) => void }>();
  /** Requests that have a connection, and those that are getting one. */
  #having = 0;
  #getting = 0;
  #answeredAt = Number.NEGATIVE_INFINITY;
  #away = false;

  constructor(settings: DatabaseSettings, name: string, meter: PostgresMeter) {
    super();
    this.#meter = meter;
    this.#pool = new pg.Pool({
      host: settings.PGHOST,
      port: settings.PGPORT,
      database: settings.PGDATABASE,
      user: settings.PGUSER,
      password: settings.PGPASSWORD,
      max: settings.PG_POOL_MAX,
      application_name: name,
      connectionTimeoutMillis: LOGIN_MS,
      stream: () => impatient(new Socket()),
      idleTimeoutMillis: 30_000,
      keepAlive: true,
      statement_timeout: STATEMENT_MS,
      idle_in_transaction_session_timeout: 2 * PATIENCE_MS,
      // Our ids stay below 2^53.
      types: { getTypeParser: (oid, format) => (oid === INT8 ? Number : pg.types.getTypeParser(oid, format)) },
    });
    // Without a listener the loss of a connection, idle or between two statements, would end the process.
    this.#pool.on("error", () => {});
    this.#pool.on("connect", (client) => client.on("error", () => {}));
    const pool: PostgresPool = { connect: () => this.#lease(), end: () => this.#pool.end() };
    this.#kysely = new Kysely({ dialect: new PostgresDialect({ pool }) });
    meter.watch(settings.PG_POOL_MAX, () => {
      const { totalCount, idleCount } = this.#pool;
      return { used: totalCount - idleCount, idle: idleCount, waiting: this.#waiting.size };
    });
  }

  /** Does work on one connection, each statement by itself. @throws {DatabaseAway} */
  run<T>(work: (db: Connection) => Promise<T>): Promise<T> {
    return again(() => this.#kysely.connection().execute(work));
  }

  /** Does work in one transaction; it may be done a second time after a deadlock. @throws {DatabaseAway} */
  transaction<T>(work: (db: Connection) => Promise<T>): Promise<T> {
    return again(() => this.#kysely.transaction().execute(work));
  }

  /**
   * Asks whether the workshop can be used: PostgreSQL lets the service in, takes writes, and its tables may be used.
   *
   * @throws {Error} within a second; its message ends with the SQLSTATE where PostgreSQL gave the reason
   */
  async check(): Promise<void> {
    try {
      const { rows } = await this.run((db) =>
        sql<{ writes: boolean; allowed: boolean }>`
          select current_setting('transaction_read_only') = 'off' as writes,
            has_table_privilege('customers', 'insert') and has_table_privilege('customers', 'update') as allowed,
            exists (select from customers) as readable`.execute(db),
      );
      if (!rows[0]?.writes)
        throw new Error("it takes no writes, as a standby or by default_transaction_read_only (25006)");
      if (!rows[0].allowed) throw new Error("the service may not write into its tables (42501)");
    } catch (error) {
      const { message, cause = error } = error as Error;
      throw cause instanceof pg.DatabaseError ? new Error(`${message} (${cause.code})`, { cause: error }) : error;
    }
  }

  /** Ends the connections, and waits a moment for them. */
  async close(): Promise<void> {
    this.removeAllListeners();
    await Promise.race([this.#kysely.destroy(), new Promise((resolve) => setTimeout(resolve, GOODBYE_MS))]);
  }

  async #lease(): Promise<PostgresPoolClient> {
    const arrived = performance.now();
    await this.#turn();
    const deadline = Math.min(performance.now() + PATIENCE_MS, arrived + ALL_MS);
    const judge = (error: unknown) => this.#judge(error);
    const connecting = this.#pool.connect();
    try {
      const client = await inTime(connecting, CONNECT_MS, "no connection in time");
      this.#count(-1, 1);
      return new Lease(client, deadline, judge, () => this.#count(0, -1), this.#meter) as unknown as PostgresPoolClient;
    } catch (error) {
      connecting
        .then((client) => {
          client.release();
          this.#judge(undefined);
        })
        .catch(() => {})
        .finally(() => this.#count(-1, 0));
      throw this.#judge(error);
    }
  }

  async #turn(): Promise<void> {
    if (this.#takeTurn()) return;
    const full = (reason: string) => {
      this.#meter.refused();
      return new DatabaseAway(reason);
    };
    if (this.#away || this.#waiting.size >= MAX_WAITING) throw full("all connections are in use");
    const { promise, resolve: start, reject } = Promise.withResolvers<void>();
    const refuse = (error: Error) => {
      this.#waiting.delete(waiter);
      reject(error);
    };
    const waiter = { start, refuse };
    this.#waiting.add(waiter);
    const timer = setTimeout(() => refuse(full("no connection became free in time")), WAIT_MS);
    await promise.finally(() => clearTimeout(timer));
  }

  /**
   * One connection is made at a time, as many requests as there are idle ones being about to get those: logins of all at
   * once would keep each other from coming about in time. The pool is asked for its number, since what it says of a
   * connection that it gave up may come late, or twice.
   */
  #takeTurn(): boolean {
    const { idleCount, options } = this.#pool;
    const free = this.#getting <= idleCount && this.#getting + this.#having < options.max;
    if (free) this.#getting += 1;
    return free;
  }

  /** Takes note of so many requests more or fewer, and lets in whoever's turn it is then. */
  #count(getting: number, having: number): void {
    this.#getting += getting;
    this.#having += having;
    for (const waiter of this.#waiting) {
      if (!this.#takeTurn()) return;
      this.#waiting.delete(waiter);
      waiter.start();
    }
  }

  /** Takes note of what an answer (or an error) says about PostgreSQL, and returns the error to throw. */
  #judge(error: unknown): unknown {
    const state = error instanceof pg.DatabaseError ? (error.code ?? "") : undefined;
    const reason = error instanceof Error ? error.message || String((error as NodeJS.ErrnoException).code) : "";
    if (error === undefined || (state !== undefined && !AWAY.test(state))) {
      this.#answeredAt = performance.now();
      if (this.#away) this.emit("back");
      this.#away = false;
      if (state === undefined || REFUSED.test(state)) return error;
      const notNow = NOT_NOW.test(state);
      this.#meter.failed(notNow ? "not_now" : "other");
      return notNow ? new DatabaseAway(reason, { cause: error }) : error;
    }
    this.#meter.failed("away");
    if (performance.now() - this.#answeredAt > SILENCE_MS) {
      if (!this.#away) this.emit("away", reason);
      this.#away = true;
      for (const { refuse } of this.#waiting) refuse(new DatabaseAway(reason));
    }
    return new DatabaseAway(reason, { cause: error });
  }
}

/** One connection for one request, until its deadline. */
class Lease {
  readonly #client: pg.PoolClient;
  readonly #deadline: number;
  readonly #judge: (error: unknown) => unknown;
  readonly #done: () => void;
  readonly #meter: PostgresMeter;
  #broken = false;

  constructor(
    client: pg.PoolClient,
    deadline: number,
    judge: (error: unknown) => unknown,
    done: () => void,
    meter: PostgresMeter,
  ) {
    this.#client = client;
    this.#deadline = deadline;
    this.#judge = judge;
    this.#done = done;
    this.#meter = meter;
  }

  async query(text: string, values: readonly unknown[]): Promise<PostgresQueryResult<unknown>> {
    if (this.#broken) throw this.#judge(new Error("the connection was lost"));
    const startedAt = performance.now();
    try {
      const answer = await inTime(
        this.#client.query(text, [...values]),
        Math.max(0, this.#deadline - startedAt),
        "no answer in time",
      );
      this.#judge(undefined);
      return answer as PostgresQueryResult<unknown>;
    } catch (error) {
      if (!(error instanceof pg.DatabaseError)) this.#broken = true;
      throw this.#judge(error);
    } finally {
      this.#meter.sent(text, startedAt);
    }
  }

  release(): void {
    this.#client.release(this.#broken);
    this.#done();
  }
}

/** What a promise resolves with, if it does so within ms; what becomes of it later is nobody's. @throws {Error} with the reason, or the promise's own */
function inTime<T>(promise: Promise<T>, ms: number, reason: string): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(reason)), ms);
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Destroys a socket whose other end does not answer at all. */
function impatient(socket: Socket): Socket {
  const timer = setTimeout(() => socket.destroy(new Error("no connection in time")), CONNECT_MS);
  for (const event of ["connect", "close"]) socket.once(event, () => clearTimeout(timer));
  return socket;
}

/** Once more after a collision with another transaction, which has rolled this one back. */
async function again<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const cause = error instanceof DatabaseAway ? error.cause : undefined;
    if (!(cause instanceof pg.DatabaseError) || !COLLIDED.has(cause.code ?? "")) throw error;
    return work();
  }
}
