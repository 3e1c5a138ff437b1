import { collectDefaultMetrics, Gauge, Registry } from "prom-client";
import { ListMeter } from "./lists.ts";
import { watchMemory } from "./memory.ts";
import { PostgresMeter } from "./postgres.ts";
import { RedisMeter } from "./redis.ts";
import { RequestMeter } from "./requests.ts";
import { watchThrottling } from "./throttling.ts";

/** The metrics of this process, with one meter for each part of the service. */
export class Metrics {
  readonly #registry = new Registry();
  readonly requests = new RequestMeter(this.#registry);
  readonly redis = new RedisMeter(this.#registry);
  readonly postgres = new PostgresMeter(this.#registry);
  readonly lists = new ListMeter(this.#registry);
  /** The Content-Type of the text. */
  readonly type = this.#registry.contentType;

  constructor(release: string) {
    const registers = [this.#registry];
    const help = "1 for the release that this process runs.";
    new Gauge({ name: "service_release_info", help, labelNames: ["release"], registers }).set({ release }, 1);
    watchThrottling(this.#registry);
    watchMemory(this.#registry);
    collectDefaultMetrics({ register: this.#registry });
  }

  /** All present values in Prometheus' text format. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
