import { EventEmitter } from "node:events";
import {
  Kysely,
  PostgresDialect,
  type PostgresPool,
  type PostgresPoolClient,
  type PostgresQueryResult,
  sql,
} from "kysely";
import pg from "pg";

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

/** A request has its connection and all its answers within this (ms), or is refused: below the promised second. */
const PATIENCE_MS = 900;
/** Of this, so long for a connection: a free one or a new one. */
const CONNECT_MS = 600;
/** PostgreSQL gives up a statement by itself after this (ms), before the connection has to be thrown away. */
const STATEMENT_MS = 700;
/** Requests that wait for a connection; one more is refused at once. */
const MAX_WAITING = 200;
/** Ended connections have so long (ms) to say goodbye. */
const GOODBYE_MS = 500;
const INT8 = 20;

/** PostgreSQL did not do what was asked, and nobody knows whether it will later; a retry is in order. */
export class DatabaseAway extends Error {
  override name = "DatabaseAway";
}

/** SQLSTATEs that say "not now": connection, resources, operator; read-only; who may log in; no database; locks. */
const NOT_NOW = /^(08|53|57|58|28|25006|3D000|55P03|40001|40P01)/;
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
  #away = false;

  constructor(settings: DatabaseSettings, name: string) {
    super();
    this.#pool = new pg.Pool({
      host: settings.PGHOST,
      port: settings.PGPORT,
      database: settings.PGDATABASE,
      user: settings.PGUSER,
      password: settings.PGPASSWORD,
      max: settings.PG_POOL_MAX,
      application_name: name,
      connectionTimeoutMillis: CONNECT_MS,
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
  }

  /** Does work on one connection, each statement by itself. @throws {DatabaseAway} */
  run<T>(work: (db: Connection) => Promise<T>): Promise<T> {
    return again(() => this.#kysely.connection().execute(work));
  }

  /** Does work in one transaction; it may be done a second time after a deadlock. @throws {DatabaseAway} */
  transaction<T>(work: (db: Connection) => Promise<T>): Promise<T> {
    return again(() => this.#kysely.transaction().execute(work));
  }

  /** Asks whether the workshop can be used: PostgreSQL is there, and so are its tables. @throws {Error} within a second */
  async check(): Promise<void> {
    await this.run((db) => sql`select from customers limit 1`.execute(db));
  }

  /** Ends the connections, and waits a moment for them. */
  async close(): Promise<void> {
    this.removeAllListeners();
    await Promise.race([this.#kysely.destroy(), new Promise((resolve) => setTimeout(resolve, GOODBYE_MS))]);
  }

  async #lease(): Promise<PostgresPoolClient> {
    const deadline = performance.now() + PATIENCE_MS;
    if (this.#pool.waitingCount >= MAX_WAITING) throw new DatabaseAway("too many requests wait for a connection");
    try {
      const client = await this.#pool.connect();
      return new Lease(client, deadline, (error) => this.#judge(error)) as unknown as PostgresPoolClient;
    } catch (error) {
      throw this.#judge(error);
    }
  }

  /** Tells the outside what an answer (or an error) says about PostgreSQL, and returns the error to throw. */
  #judge(error: unknown): unknown {
    const complaint = error instanceof pg.DatabaseError ? error : undefined;
    const away = error !== undefined && (complaint === undefined || NOT_NOW.test(complaint.code ?? ""));
    const reason = error instanceof Error ? error.message || ("code" in error ? String(error.code) : error.name) : "";
    if (away && !this.#away) this.emit("away", reason);
    if (!away && this.#away) this.emit("back");
    this.#away = away;
    return away ? new DatabaseAway(reason, { cause: error }) : error;
  }
}

/** One connection for one request, until its deadline. */
class Lease {
  readonly #client: pg.PoolClient;
  readonly #deadline: number;
  readonly #judge: (error: unknown) => unknown;
  #broken = false;

  constructor(client: pg.PoolClient, deadline: number, judge: (error: unknown) => unknown) {
    this.#client = client;
    this.#deadline = deadline;
    this.#judge = judge;
  }

  async query(text: string, values: readonly unknown[]): Promise<PostgresQueryResult<unknown>> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const left = Math.max(0, this.#deadline - performance.now());
    const timer = setTimeout(() => reject(new Error("no answer in time")), left);
    try {
      if (this.#broken) throw new Error("the connection was lost");
      const answer = await Promise.race([this.#client.query(text, [...values]), late]);
      this.#judge(undefined);
      return answer as PostgresQueryResult<unknown>;
    } catch (error) {
      if (!(error instanceof pg.DatabaseError)) this.#broken = true;
      throw this.#judge(error);
    } finally {
      clearTimeout(timer);
    }
  }

  release(): void {
    this.#client.release(this.#broken);
  }
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
