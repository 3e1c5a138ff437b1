/** One request of a load with its result, and the statistics of many samples. */

/** One request of a load. Times are milliseconds of the clock `now`. */
export type Sample = {
  /** When it was due; `ms` counts from here to the last byte, so a generator that is late hides nothing. */
  at: number;
  ms: number;
  /** How late it was sent: behind its time, or waiting for a connection. */
  late: number;
  fresh: boolean;
  /** On a connection that had served before. */
  reused: boolean;
  /** On a new one by https that resumed the session of an earlier one. */
  resumed?: true;
  /** 0 when no whole answer came; `error` then says why, as it does for a 200 that is not the contract's. */
  status: number;
  error?: string;
  /** Too many were waiting: nobody has sent it, and its `ms` says nothing. */
  unsent?: true;
  /** Of a load with a path: whether its status is an answer of the app. */
  answered?: boolean;
  /** Of a load of POSTs with a path: nginx sends each to one backend alone. */
  post?: true;
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

/** The smallest value that a share q of all values does not exceed; undefined without values. */
export function percentile(values: number[], q: number): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)];
}

/** The largest of these, or 0. (Math.max takes no more than some 125,000 arguments.) */
export const largest = (values: number[]): number => values.reduce((most, each) => Math.max(most, each), 0);

/** Milliseconds of the requests that were sent at all. */
export const latencies = (samples: Sample[]): number[] => samples.filter(({ unsent }) => !unsent).map(({ ms }) => ms);

/** Whether it was answered as it should be: a visit, or a request of another app. */
export const isVisit = (sample: Sample): boolean =>
  sample.answered ?? (sample.status === 200 && sample.error === undefined);

/** A 503 with Retry-After: of the service (it names itself) or of nginx. */
export const isRefusal = (sample: Sample): boolean =>
  sample.status === 503 && sample.retryAfter && sample.error === undefined;

export const isWritten = (sample: Sample): boolean => sample.status === 201 && sample.error === undefined;

export const p99 = (samples: Sample[], from: number, to: number): number | undefined =>
  percentile(latencies(samples.filter(({ at }) => at >= from && at < to)), 0.99);
