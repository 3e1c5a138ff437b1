import { Counter, Histogram, type Registry } from "prom-client";

const COMMANDS = ["fcall", "hmget", "hset"] as const;
const BUCKETS_S = [0.0002, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.05, 0.1, 0.2, 0.5, 1];

type Command = (typeof COMMANDS)[number];

/** Measures the commands to Redis, and the visits that they counted. */
export class RedisMeter {
  readonly #duration: Histogram<"command">;
  readonly #errors: Counter<"command">;
  readonly #visits: Counter;

  constructor(registry: Registry) {
    const registers = [registry];
    const labelNames = ["command"] as const;
    this.#duration = new Histogram({
      name: "redis_command_duration_seconds",
      help: "From sending a command to its result or failure; one call counts many visits.",
      labelNames,
      buckets: BUCKETS_S,
      registers,
    });
    this.#errors = new Counter({
      name: "redis_errors_total",
      help: "Failed commands, and failed attempts to connect.",
      labelNames,
      registers,
    });
    for (const command of [...COMMANDS, "connect"]) this.#errors.inc({ command }, 0);
    this.#visits = new Counter({ name: "visits_counted_total", help: "Counted visits.", registers });
  }

  /** Runs `send` and records its duration; rethrows its error. */
  async time<T>(command: Command, send: () => Promise<T>): Promise<T> {
    const startedAt = performance.now();
    try {
      return await send();
    } catch (error) {
      this.#errors.inc({ command });
      throw error;
    } finally {
      this.#duration.observe({ command }, (performance.now() - startedAt) / 1000);
    }
  }

  /** Records a failed attempt to connect. */
  notConnected(): void {
    this.#errors.inc({ command: "connect" });
  }

  /** Records counted visits. */
  counted(visits: number): void {
    this.#visits.inc(visits);
  }
}
