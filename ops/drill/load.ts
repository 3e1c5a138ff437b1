import { Worker } from "node:worker_threads";

/**
 * What is asked, and how often: a new connection for each request, or kept ones. With `writes` each request makes a
 * customer instead of a visit: its key begins so, and it is sent again until it is acknowledged.
 */
export type LoadOptions = {
  host: string;
  port?: number;
  domain: string;
  /** Requests a second, each sent when it is due. */
  rate: number;
  fresh?: boolean;
  writes?: string;
  /** What is asked instead of a visit; of its answer only the status counts, and nothing is sent again. */
  path?: string;
  /** Ends by itself after so many requests. */
  most?: number;
  /** How many connections there may be; a request that finds none free waits, which counts. */
  connections?: number;
  /** Instead of a rate: so many clients at once, each of which posts a row and gets the path so often, without a pause. */
  clients?: { count: number; times: number };
};

/** Where a load's writes go. */
export const writesPath = "/api/customers";

/** One request of a load. Times are milliseconds of the clock `now`. */
export type Shot = {
  /** When it was due; `ms` counts from here to the last byte, so a generator that is late hides nothing. */
  at: number;
  ms: number;
  /** How late it was sent: behind its time, or waiting for a connection. */
  late: number;
  fresh: boolean;
  /** On a connection that had served before. */
  reused: boolean;
  /** 0 when no whole answer came; `error` then says why, as it does for a 200 that is not the contract's. */
  status: number;
  error?: string;
  /** Too many were waiting: nobody has sent it, and its `ms` says nothing. */
  unsent?: true;
  /** X-Request-Id, X-Served-By and X-Release of the answer. */
  id?: string;
  by?: string;
  release?: string;
  retryAfter: boolean;
  /** total_visits of a 200. */
  total?: number;
  /** Of a write: its Idempotency-Key, which is the name in its row as well. */
  key?: string;
};

/** Milliseconds of the machine's monotonic clock, the same in every thread. */
export const now = (): number => Number(process.hrtime.bigint() / 1000n) / 1000;

/**
 * A load under way: `shots` grows as requests end. `ended` resolves when the last one has; `stop` sends no more and
 * resolves then (10 s at most, 20 s for writes).
 */
export type Load = { shots: Shot[]; ended: Promise<void>; stop(): Promise<void> };

/** Starts a constant open-loop load (or clients) in a thread of its own, where nothing else can make it late. */
export function startLoad(options: LoadOptions): Load {
  const worker = new Worker(new URL("./shooter.ts", import.meta.url), { workerData: options });
  const shots: Shot[] = [];
  // Not push(...ended): a call takes no more than some 125,000 arguments, fewer on a deep stack.
  worker.on("message", (ended: Shot[]) => {
    for (const shot of ended) shots.push(shot);
  });
  const ended = new Promise<void>((resolve, reject) => {
    worker.on("error", reject);
    worker.on("exit", () => resolve());
  });
  ended.catch(() => {}); // told by stop
  return {
    shots,
    ended,
    stop: () => {
      worker.postMessage("stop");
      return ended;
    },
  };
}
