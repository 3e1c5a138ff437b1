import { Counter, Gauge, Histogram, type Registry } from "prom-client";

const OPERATIONS = new Set(["select", "insert", "update", "delete", "begin", "commit", "rollback"]);
const KINDS = ["away", "not_now", "other"] as const;
const BUCKETS_S = [0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1];

/** An outage, a transient failure of one request, or an unexpected error (a violated constraint is none). */
export type Failure = (typeof KINDS)[number];

/** The present state of the pool: connections in use, idle connections, and requests that wait for one. */
export interface PoolState {
  readonly used: number;
  readonly idle: number;
  readonly waiting: number;
}

/** Measures the statements to PostgreSQL and the pool of connections. */
export class PostgresMeter {
  readonly #registers: Registry[];
  readonly #duration: Histogram<"operation">;
  readonly #errors: Counter<"kind">;
  readonly #refused: Counter;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#registers = registers;
    this.#duration = new Histogram({
      name: "postgres_query_duration_seconds",
      help: "From sending a statement to its result or failure, by the statement's first word.",
      labelNames: ["operation"],
      buckets: BUCKETS_S,
      registers,
    });
    this.#errors = new Counter({
      name: "postgres_errors_total",
      help: "Failed statements and connections: away (an outage), not_now (a transient failure), or other.",
      labelNames: ["kind"],
      registers,
    });
    for (const kind of KINDS) this.#errors.inc({ kind }, 0);
    this.#refused = new Counter({
      name: "postgres_pool_refused_total",
      help: "Requests that were refused because all connections were in use.",
      registers,
    });
  }

  /** Records the end of a statement, successful or not; `startedAt` in ms of performance.now(). */
  sent(statement: string, startedAt: number): void {
    const word = statement.slice(0, 9).trimStart().split(/\W/, 1)[0]?.toLowerCase() ?? "";
    const operation = OPERATIONS.has(word) ? word : "other";
    this.#duration.observe({ operation }, (performance.now() - startedAt) / 1000);
  }

  failed(kind: Failure): void {
    this.#errors.inc({ kind });
  }

  /** Records a request that was refused because all connections were in use. */
  refused(): void {
    this.#refused.inc();
  }

  /** Publishes a pool of at most `size` connections; each scrape calls `state`. */
  watch(size: number, state: () => PoolState): void {
    const registers = this.#registers;
    new Gauge({ name: "postgres_pool_size", help: "Most connections of this process.", registers }).set(size);
    new Gauge({
      name: "postgres_pool_waiting",
      help: "Requests that wait for a connection.",
      registers,
      collect() {
        this.set(state().waiting);
      },
    });
    new Gauge({
      name: "postgres_pool_connections",
      help: "Open connections of this process.",
      labelNames: ["state"],
      registers,
      collect() {
        const { used, idle } = state();
        this.set({ state: "used" }, used);
        this.set({ state: "idle" }, idle);
      },
    });
  }
}
