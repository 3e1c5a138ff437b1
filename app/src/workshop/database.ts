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

/** The connection settings, by libpq's names; PG_POOL_MAX is the most connections of this process. */
export interface DatabaseSettings {
  readonly PGHOST: string;
  readonly PGPORT: number;
  readonly PGDATABASE: string;
  readonly PGUSER: string;
  readonly PGPASSWORD?: string | undefined;
  readonly PG_POOL_MAX: number;
}

export type Connection = Kysely<unknown>;

/**
 * An admitted request gets a connection and all results within this time, in ms, or is refused: below the promised second.
 */
const REQUEST_TIMEOUT_MS = 900;
/** The part of it for a connection, in ms, whether PostgreSQL's host or PostgreSQL itself does not answer. */
const CONNECT_TIMEOUT_MS = 600;
/**
 * A login may continue for this long, in ms, for the next request. PostgreSQL finishes abandoned logins as well: with all of them
 * abandoned after CONNECT_TIMEOUT_MS, a PostgreSQL whose logins take longer would never admit a request.
 */
const LOGIN_TIMEOUT_MS = 5000;
/** PostgreSQL cancels a statement after this time, in ms, before this process has to drop the connection. */
export const STATEMENT_TIMEOUT_MS = 700;
/**
 * An answer may come this long after its request was refused, in ms, and its connection serves on: PostgreSQL cancels the statement by
 * itself. A new connection is slow at first, so a slow PostgreSQL whose connections end with each late answer would stay too slow.
 */
const LATE_ANSWER_MS = 2000;
/** The most requests that wait while all connections are in use, and for how long, in ms. An outage refuses them at once. */
const MAX_WAITING = 400;
const MAX_WAIT_MS = 1300;
/** Wait and work together, in ms: nginx takes a backend for dead after 2 s, and a list waits for Redis before them. */
export const TOTAL_BUDGET_MS = 1850;
/** A failure counts as an outage if PostgreSQL has answered no request for this long, in ms; otherwise it may be the request's own. */
const OUTAGE_AFTER_MS = 500;
/** Connections have this long to close, in ms. */
const CLOSE_TIMEOUT_MS = 500;
/** bigint: the service's ids stay below 2^53. */
const INT8 = 20;

/** PostgreSQL could not execute the request; a retry may succeed. */
export class DatabaseUnavailable extends Error {
  override name = "DatabaseUnavailable";
}

/** SQLSTATEs of an outage for every request: connection, resources, operator, system; login; no database. */
const UNAVAILABLE = /^(?:08|53|57P|58|28|3D000)/;
/** SQLSTATE of a prepared statement whose columns have another type since a migration; its connection cannot run it again. */
const OUTDATED = "0A000";
/** SQLSTATEs of a transient failure of one request: timeout, lock, serialization conflict, deadlock, read-only server; and {@link OUTDATED}. */
const TRANSIENT = /^(?:57014|55P03|40001|40P01|25006)/;
/** SQLSTATEs of a violated constraint or a too large number: the response is 409 or 422, and PostgreSQL has not failed. */
const CONSTRAINT = /^(?:23|22003)/;
/** Conflicts with another transaction, after which a retry of the whole transaction is safe. */
const CONFLICTS = new Set(["40001", "40P01"]);

/**
 * PostgreSQL behind a pool of bounded size and bounded waits. It reconnects by itself. Each outage becomes a
 * {@link DatabaseUnavailable} within a second: PostgreSQL refuses, does not answer, is frozen, full, read-only or shutting down.
 * Any other error stays a `pg.DatabaseError`.
 *
 * Of Kysely only the `sql` tag and the pool adapter are used, not the typed builder.
 *
 * Emits "unavailable" with the reason, and "available".
 */
export class Database extends EventEmitter<{ unavailable: [reason: string]; available: [] }> {
  readonly #pool: pg.Pool;
  readonly #kysely: Connection;
  readonly #meter: PostgresMeter;
  readonly #waiting = new Set<{ start: () => void; refuse: (error: Error) => void }>();
  /** Requests with a connection, and requests that wait for the pool to connect. */
  #active = 0;
  #connecting = 0;
  #answeredAt = Number.NEGATIVE_INFINITY;
  #unavailable = false;

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
      connectionTimeoutMillis: LOGIN_TIMEOUT_MS,
      stream: () => withConnectTimeout(new Socket()),
      idleTimeoutMillis: 30_000,
      keepAlive: true,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      idle_in_transaction_session_timeout: 2 * REQUEST_TIMEOUT_MS,
      options: "-c TimeZone=UTC", // a resource's columns write their times in it
      types: { getTypeParser: (oid, format) => (oid === INT8 ? Number : pg.types.getTypeParser(oid, format)) },
    });
    // Without listeners the loss of a connection, idle or between two statements, would end the process.
    this.#pool.on("error", () => {});
    this.#pool.on("connect", (client) => client.on("error", () => {}));
    const pool: PostgresPool = { connect: () => this.#lease(), end: () => this.#pool.end() };
    this.#kysely = new Kysely({ dialect: new PostgresDialect({ pool }) });
    meter.watch(settings.PG_POOL_MAX, () => {
      const { totalCount, idleCount } = this.#pool;
      return { used: totalCount - idleCount, idle: idleCount, waiting: this.#waiting.size };
    });
  }

  /** Runs work on one connection, each statement as its own transaction. @throws {DatabaseUnavailable} */
  run<T>(work: (db: Connection) => Promise<T>): Promise<T> {
    return retryOnConflict(() => this.#kysely.connection().execute(work));
  }

  /** Runs work in one transaction, and a second time after a conflict with another one. @throws {DatabaseUnavailable} */
  transaction<T>(work: (db: Connection) => Promise<T>): Promise<T> {
    return retryOnConflict(() => this.#kysely.transaction().execute(work));
  }

  /**
   * Checks readiness: the service can log in, PostgreSQL accepts writes, and the service has the privileges on its tables.
   *
   * @throws {Error} within a second; the message ends with PostgreSQL's SQLSTATE if it gave one
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
        throw new Error("it accepts no writes: it is a standby, or default_transaction_read_only is on (25006)");
      if (!rows[0].allowed) throw new Error("the service may not write into its tables (42501)");
    } catch (error) {
      const { message, cause = error } = error as Error;
      throw cause instanceof pg.DatabaseError ? new Error(`${message} (${cause.code})`, { cause: error }) : error;
    }
  }

  /** Closes the connections; resolves after {@link CLOSE_TIMEOUT_MS} at the latest. */
  async close(): Promise<void> {
    this.removeAllListeners();
    await Promise.race([this.#kysely.destroy(), new Promise((resolve) => setTimeout(resolve, CLOSE_TIMEOUT_MS))]);
  }

  async #lease(): Promise<PostgresPoolClient> {
    const arrived = performance.now();
    await this.#admit();
    const deadline = Math.min(performance.now() + REQUEST_TIMEOUT_MS, arrived + TOTAL_BUDGET_MS);
    const classify = (error: unknown) => this.#classify(error);
    const connecting = this.#pool.connect();
    try {
      const client = await withTimeout(connecting, CONNECT_TIMEOUT_MS, "no connection in time");
      this.#updateCounts(-1, 1);
      return new Lease(
        client,
        deadline,
        classify,
        () => this.#updateCounts(0, -1),
        this.#meter,
      ) as unknown as PostgresPoolClient;
    } catch (error) {
      connecting
        .then((client) => {
          client.release();
          this.#classify(undefined);
        })
        .catch(() => {})
        .finally(() => this.#updateCounts(-1, 0));
      throw this.#classify(error);
    }
  }

  async #admit(): Promise<void> {
    if (this.#tryAdmit()) return;
    const refused = (reason: string) => {
      this.#meter.refused();
      return new DatabaseUnavailable(reason);
    };
    if (this.#unavailable || this.#waiting.size >= MAX_WAITING) throw refused("all connections are in use");
    const { promise, resolve: start, reject } = Promise.withResolvers<void>();
    const refuse = (error: Error) => {
      this.#waiting.delete(waiter);
      reject(error);
    };
    const waiter = { start, refuse };
    this.#waiting.add(waiter);
    const timer = setTimeout(() => refuse(refused("no connection became free in time")), MAX_WAIT_MS);
    await promise.finally(() => clearTimeout(timer));
  }

  /**
   * Admission control. Opens at most one new PostgreSQL connection at a time: a burst of logins slows every login down until
   * all of them time out. Requests that can reuse an idle connection are admitted at once.
   * `idleCount` comes from the pool and is not counted here, because the pool reports an abandoned connection late or twice.
   */
  #tryAdmit(): boolean {
    const { idleCount, options } = this.#pool;
    const free = this.#connecting <= idleCount && this.#connecting + this.#active < options.max;
    if (free) this.#connecting += 1;
    return free;
  }

  /** Adds to both counts, then admits waiting requests. */
  #updateCounts(connecting: number, active: number): void {
    this.#connecting += connecting;
    this.#active += active;
    for (const waiter of this.#waiting) {
      if (!this.#tryAdmit()) return;
      this.#waiting.delete(waiter);
      waiter.start();
    }
  }

  /** Updates the state of PostgreSQL from a result (undefined) or an error; returns the error to throw. */
  #classify(error: unknown): unknown {
    const state = error instanceof pg.DatabaseError ? (error.code ?? "") : undefined;
    const reason = error instanceof Error ? error.message || String((error as NodeJS.ErrnoException).code) : "";
    if (error === undefined || (state !== undefined && !UNAVAILABLE.test(state))) {
      this.#answeredAt = performance.now();
      if (this.#unavailable) this.emit("available");
      this.#unavailable = false;
      if (state === undefined || CONSTRAINT.test(state)) return error;
      const transient = state === OUTDATED || TRANSIENT.test(state);
      this.#meter.failed(transient ? "not_now" : "other");
      return transient ? new DatabaseUnavailable(reason, { cause: error }) : error;
    }
    this.#meter.failed("away");
    if (performance.now() - this.#answeredAt > OUTAGE_AFTER_MS) {
      if (!this.#unavailable) this.emit("unavailable", reason);
      this.#unavailable = true;
      for (const { refuse } of this.#waiting) refuse(new DatabaseUnavailable(reason));
    }
    return new DatabaseUnavailable(reason, { cause: error });
  }
}

/** The most statements that each connection keeps prepared: each takes 170 KB there, and a stranger's queries make new texts without end. */
const MAX_PREPARED = 20;
const prepared = new Map<string, string>();

/**
 * The name under which connections keep a statement prepared: PostgreSQL then parses it once, and may plan it once, which is half of its work
 * for a list. Undefined for a write, and for a search whose plan has to fit the text that is searched for.
 */
function nameOf(text: string): string | undefined {
  if (!text.startsWith("select ") || text.includes(" like $")) return undefined;
  if (!prepared.has(text) && prepared.size < MAX_PREPARED) prepared.set(text, `s${prepared.size}`);
  return prepared.get(text);
}

/** One connection for one request, until its deadline. */
class Lease {
  readonly #client: pg.PoolClient;
  readonly #deadline: number;
  readonly #classify: (error: unknown) => unknown;
  readonly #done: () => void;
  readonly #meter: PostgresMeter;
  /** The statement whose answer did not come in time, or whose connection was lost. */
  #late: Promise<unknown> | undefined;
  #outdated = false;

  constructor(
    client: pg.PoolClient,
    deadline: number,
    classify: (error: unknown) => unknown,
    done: () => void,
    meter: PostgresMeter,
  ) {
    this.#client = client;
    this.#deadline = deadline;
    this.#classify = classify;
    this.#done = done;
    this.#meter = meter;
  }

  async query(text: string, values: readonly unknown[]): Promise<PostgresQueryResult<unknown>> {
    if (this.#late) throw this.#classify(new Error("the connection was lost"));
    const startedAt = performance.now();
    const asked = this.#client.query({ name: nameOf(text), text, values: [...values] });
    try {
      const answer = await withTimeout(asked, Math.max(0, this.#deadline - startedAt), "no answer in time");
      this.#classify(undefined);
      return answer as PostgresQueryResult<unknown>;
    } catch (error) {
      if (!(error instanceof pg.DatabaseError)) this.#late = asked;
      else if (error.code === OUTDATED) this.#outdated = true;
      throw this.#classify(error);
    } finally {
      this.#meter.sent(text, startedAt);
    }
  }

  release(): void {
    if (this.#late)
      withTimeout(this.#endTransaction(this.#late), LATE_ANSWER_MS, "no answer in time").then(
        () => this.#giveBack(this.#outdated),
        () => this.#giveBack(true),
      );
    else this.#giveBack(this.#outdated);
  }

  #giveBack(broken: boolean): void {
    this.#client.release(broken);
    this.#done();
  }

  async #endTransaction(late: Promise<unknown>): Promise<void> {
    await late.catch((error) => {
      if (!(error instanceof pg.DatabaseError)) throw error;
    });
    // Outside of a transaction it changes nothing.
    await this.#client.query("rollback");
    this.#classify(undefined);
  }
}

/** Resolves with the promise's value if it comes within `ms`; a later result is ignored. @throws {Error} with `reason` after `ms` */
export function withTimeout<T>(promise: Promise<T>, ms: number, reason: string): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(reason)), ms);
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Destroys a socket that has not connected after {@link CONNECT_TIMEOUT_MS}. */
function withConnectTimeout(socket: Socket): Socket {
  const timer = setTimeout(() => socket.destroy(new Error("no connection in time")), CONNECT_TIMEOUT_MS);
  for (const event of ["connect", "close"]) socket.once(event, () => clearTimeout(timer));
  return socket;
}

/** Runs work a second time if a conflict with another transaction has rolled it back. */
async function retryOnConflict<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const cause = error instanceof DatabaseUnavailable ? error.cause : undefined;
    if (!(cause instanceof pg.DatabaseError) || !CONFLICTS.has(cause.code ?? "")) throw error;
    return work();
  }
}
