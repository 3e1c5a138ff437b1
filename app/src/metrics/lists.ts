import { Counter, type Registry } from "prom-client";

const RESULTS = ["hit", "absent", "changed", "expired", "away"] as const;

/** The result of asking the cache for a list: a hit, or why PostgreSQL was read. */
export type CacheResult = (typeof RESULTS)[number];

/** Counts the reads of the lists' cache, and the writes after which it could not be renewed in time. */
export class ListMeter {
  readonly #reads: Counter<"result">;
  readonly #unconfirmed: Counter;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#reads = new Counter({
      name: "list_cache_reads_total",
      help: "Lists by result: hit; absent, changed by a write, or expired; away (no generation from Redis, or none in time).",
      labelNames: ["result"],
      registers,
    });
    for (const result of RESULTS) this.#reads.inc({ result }, 0);
    this.#unconfirmed = new Counter({
      name: "list_cache_unconfirmed_total",
      help: "Writes after which Redis did not confirm a new generation in time: other workers' lists may be old until they expire.",
      registers,
    });
  }

  /** Records one list. */
  read(result: CacheResult): void {
    this.#reads.inc({ result });
  }

  /** Records a write whose renewal Redis did not confirm in time. */
  unconfirmed(): void {
    this.#unconfirmed.inc();
  }
}
