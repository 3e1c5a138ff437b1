import { Counter, Gauge, Histogram, type Registry } from "prom-client";

const OPERATIONS = new Set(["select", "insert", "update", "delete", "begin", "commit", "rollback"]);
const KINDS = ["away", "not_now", "other"] as const;
const BUCKETS_S = [0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1];

/** PostgreSQL is away for everybody; it could not do this now; or a fault that should not be (a refused row is none). */
export type Failure = (typeof KINDS)[number];

/** The pool as it is: connections in use and idle, and requests that wait for one. */
export interface PoolState {
  readonly used: number;
  readonly idle: number;
  readonly waiting: number;
}

/** Times the statements that go to PostgreSQL, and watches the pool of connections. */
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
      help: "From sending a statement to its answer or failure, by the statement's first word.",
      labelNames: ["operation"],
      buckets: BUCKETS_S,
      registers,
    });
    this.#errors = new Counter({
      name: "postgres_errors_total",
      help: "Statements and connections that failed: PostgreSQL is away, cannot do this now, or other.",
      labelNames: ["kind"],
      registers,
    });
    for (const kind of KINDS) this.#errors.inc({ kind }, 0);
    this.#refused = new Counter({
      name: "postgres_pool_refused_total",
      help: "Requests that got no connection because all were in use.",
      registers,
    });
  }

  /** A statement that was sent at `startedAt` (ms of performance.now()) is over, well or not. */
  sent(statement: string, startedAt: number): void {
    const word = statement.slice(0, 9).trimStart().split(/\W/, 1)[0]?.toLowerCase() ?? "";
    const operation = OPERATIONS.has(word) ? word : "other";
    this.#duration.observe({ operation }, (performance.now() - startedAt) / 1000);
  }

  failed(kind: Failure): void {
    this.#errors.inc({ kind });
  }

  /** A request got no connection because all were in use. */
  refused(): void {
    this.#refused.inc();
  }

  /** Shows a pool of at most `size` connections; `look` is asked at each scrape. */
  watch(size: number, look: () => PoolState): void {
    const registers = this.#registers;
    new Gauge({ name: "postgres_pool_size", help: "Most connections of this process.", registers }).set(size);
    new Gauge({
      name: "postgres_pool_waiting",
      help: "Requests that wait for a connection.",
      registers,
      collect() {
        this.set(look().waiting);
      },
    });
    new Gauge({
      name: "postgres_pool_connections",
      help: "Open connections of this process.",
      labelNames: ["state"],
      registers,
      collect() {
        const { used, idle } = look();
        this.set({ state: "used" }, used);
        this.set({ state: "idle" }, idle);
      },
    });
  }
}
