import { Worker } from "node:worker_threads";
import type { LoadOptions } from "./options.ts";
import type { Sample } from "./sample.ts";

/**
 * A load under way: `samples` grows as requests end. `ended` resolves when the last one has; `stop` begins no more,
 * sends writes that wait again, and resolves then (after 10 s at most, with writes after {@link LoadOptions.lastSeconds} and 10 s).
 */
export type Load = { samples: Sample[]; ended: Promise<void>; stop(): Promise<void> };

/** Starts a constant open-loop load (or clients) in a thread of its own, where nothing else can make it late. */
export function startLoad(options: LoadOptions): Load {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { workerData: options });
  const samples: Sample[] = [];
  // Not push(...ended): a call takes no more than some 125,000 arguments, fewer on a deep stack.
  worker.on("message", (ended: Sample[]) => {
    for (const sample of ended) samples.push(sample);
  });
  const ended = new Promise<void>((resolve, reject) => {
    worker.on("error", reject);
    worker.on("exit", () => resolve());
  });
  ended.catch(() => {}); // stop rejects with it
  return {
    samples,
    ended,
    stop: () => {
      worker.postMessage("stop");
      return ended;
    },
  };
}
