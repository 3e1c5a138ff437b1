/** Computes a drill's results and judges them. No effects: everything comes in as values. */
import { isRefusal, isVisit, isWritten, largest, p99, type Sample } from "../loadgen/sample.ts";

/** The bounds of a drill; a failure that is not named must not happen at all. */
export type Budget = {
  /** Milliseconds that no request may reach. */
  slowest?: number;
  /** The program that answers 503 with Retry-After while it lasts; "anybody" may, and need not. */
  refusals?: "nginx" | "service" | "anybody";
  /** Seconds from a backend's readiness to its next answer, or from the first readiness to the last refusal. */
  back?: number;
  /** Seconds for which the balancer leaves a dead backend alone: at most one request may try it in each. */
  probe?: number;
};

/** The observations of one drill. Times are milliseconds of the loads' clock. */
export type Observation = {
  samples: Sample[];
  /** From the failure until all is well again. */
  failedAt: number;
  overAt: number;
  /** The backend that failed, and when it was ready again. */
  backend?: string;
  readyAt?: number;
  /** Ids of the requests that the balancer tried at the failed backend, and of those it tried more than once. */
  triedBackend: Set<string>;
  retried: number;
  /** total_visits before and after, undefined for another app; the acknowledged and attempted visits of others than the samples meanwhile. */
  before?: number;
  after?: number;
  /** POSTs of another app that the balancer sent to more than one backend. */
  sentTwice?: number;
  others?: { acknowledged: number; attempted: number };
  /** Whether a request may be lost here; such losses are counted and stated. */
  mayLose?: (sample: Sample) => boolean;
};

/** One row of the table. Latencies in ms, spans in s; undefined where it does not apply. */
export type Summary = {
  requests: number;
  failed: number;
  lost: number;
  refused: number;
  retried: number;
  slowest: number;
  late: number;
  p99: { before?: number; during?: number; after?: number };
  stopped?: number;
  probes?: number;
  back?: number;
  acknowledged: number;
  counted?: number;
  attempted: number;
};

/** Sums up the samples of a drill. */
export function summarize(seen: Observation): Summary {
  const { samples, failedAt, overAt, others = { acknowledged: 0, attempted: 0 } } = seen;
  const failures = samples.filter((sample) => !isVisit(sample) && !isRefusal(sample));
  return {
    requests: samples.length,
    failed: failures.length,
    lost: failures.filter((sample) => seen.mayLose?.(sample)).length,
    refused: samples.filter(isRefusal).length,
    retried: seen.retried,
    slowest: largest(samples.map(({ ms }) => ms)),
    late: largest(samples.map(({ late }) => late)),
    p99: {
      before: p99(samples, 0, failedAt),
      during: p99(samples, failedAt, overAt),
      after: p99(samples, overAt, Number.POSITIVE_INFINITY),
    },
    ...rotation(seen),
    acknowledged: samples.filter(isVisit).length + others.acknowledged,
    counted: seen.before === undefined || seen.after === undefined ? undefined : seen.after - seen.before,
    attempted: samples.length + others.attempted,
  };
}

const quiet = 1000; // ms without a request: at the smallest rate, 5 a second, each of two peers in rotation is asked every 400 ms

/**
 * How the balancer treated the failed backend. Stopped: from its last answer to the last request that tried it before it
 * was left alone for a second. Probes: requests that tried it later in vain, before it was ready. Back: from its readiness to
 * its next answer; where every backend failed, from the first readiness to the last refusal.
 */
function rotation({
  samples,
  failedAt,
  backend,
  readyAt,
  triedBackend,
}: Observation): Pick<Summary, "stopped" | "probes" | "back"> {
  if (readyAt === undefined) return {};
  if (backend === undefined) return { back: largest(samples.filter(isRefusal).map(({ at }) => at - readyAt)) / 1000 };
  const answers = samples.filter(({ by }) => by === backend).map(({ at, ms }) => at + ms);
  const next = answers.reduce(
    (first, end) => (end >= readyAt ? Math.min(first, end) : first),
    Number.POSITIVE_INFINITY,
  );
  const back = Number.isFinite(next) ? { back: (next - readyAt) / 1000 } : {};

  const last = beforeGap(answers, failedAt - quiet);
  const tried = samples.filter(({ id }) => id !== undefined && triedBackend.has(id));
  const tries = tried.map(({ at }) => at);
  if (last === undefined) return back;
  const lastTry = beforeGap(tries, Math.min(last, failedAt) - quiet) ?? last;
  const probes = tried.filter(({ at, by }) => at > lastTry && at < readyAt && by !== backend).length;
  return { ...back, stopped: Math.max(0, lastTry - last) / 1000, probes };
}

/** The last of these times, from a start on, before a second without any; undefined if there is no such second. */
function beforeGap(times: number[], from: number): number | undefined {
  const sorted = times.filter((time) => time >= from).sort((a, b) => a - b);
  return sorted.find((time, i) => (sorted[i + 1] ?? Number.POSITIVE_INFINITY) - time >= quiet);
}

/** Says which budgets were broken, one sentence for each; an empty list means that all held. */
export function judge(budget: Budget, seen: Observation, sum: Summary): string[] {
  const broken = countedOnce(seen, sum);
  if (seen.sentTwice) broken.push(`${seen.sentTwice} POSTs were sent to two backends`);
  const unexpected = sum.failed - sum.lost;
  if (unexpected > 0) broken.push(`${unexpected} requests failed`);
  const refusals = seen.samples.filter(isRefusal);
  // nginx answers a POST that its backend has lost with a 503.
  const foreign = refusals
    .filter((sample) => !(sample.post && seen.mayLose?.(sample)))
    .filter(({ by }) => budget.refusals !== "anybody" && budget.refusals !== (by === undefined ? "nginx" : "service"));
  if (foreign.length > 0) broken.push(`${foreign.length} requests got a 503`);
  if (budget.refusals && budget.refusals !== "anybody" && refusals.length === 0)
    broken.push("nobody got a 503: the failure was none");
  if (budget.slowest !== undefined && sum.slowest >= budget.slowest)
    broken.push(`the slowest took ${sum.slowest.toFixed(0)} ms, not under ${budget.slowest}`);
  if (seen.backend && sum.back === undefined) broken.push(`${seen.backend} did not come back into rotation`);
  if (budget.back !== undefined && sum.back !== undefined && sum.back > budget.back)
    broken.push(`back ${sum.back.toFixed(1)} s after readiness, not within ${budget.back}`);
  if (budget.probe !== undefined && sum.probes !== undefined && seen.readyAt !== undefined) {
    const may = Math.ceil((seen.readyAt - seen.failedAt) / 1000 / budget.probe);
    if (sum.probes > may) broken.push(`${sum.probes} requests tried the dead backend after it was ejected, not ${may}`);
  }
  return broken;
}

/** Exactly once: acknowledged <= counted <= attempted, and no number given to two visits. */
function countedOnce({ samples, before, after }: Observation, { acknowledged, counted, attempted }: Summary): string[] {
  if (before === undefined || after === undefined || counted === undefined) return [];
  const broken: string[] = [];
  const totals = samples.filter(isVisit).map(({ total }) => total ?? Number.NaN);
  const twice = totals.length - new Set(totals).size;
  if (twice > 0) broken.push(`${twice} visits got a number that another one had got`);
  const outside = totals.filter((total) => !(total > before && total <= after)).length;
  if (outside > 0) broken.push(`${outside} acknowledged visits are not between the totals ${before} and ${after}`);
  if (acknowledged > counted) broken.push(`${acknowledged - counted} acknowledged visits were lost`);
  if (counted > attempted)
    broken.push(`${counted - attempted} visits more than requests (or somebody else visited meanwhile)`);
  return broken;
}

/** A drill's observations of its writes: the names of the rows that exist now, and when the database was away, in ms. */
export type Written = {
  writes: Sample[];
  rows: string[];
  away: { from: number; to: number }[];
  mayLose?: (sample: Sample) => boolean;
};

/**
 * Names the broken rules of a load of writes: each acknowledged one is one row, none is two, a refusal comes within 1 s
 * and only while the database is away.
 *
 * @param patient where a machine is emulated: refusals are not judged
 */
export function judgeWrites({ writes, rows, away, mayLose }: Written, patient = false): string[] {
  const broken: string[] = [];
  const say = (many: number, what: string) => many > 0 && broken.push(`${many} ${what}`);
  const there = new Set(rows);
  const asked = new Set(writes.map(({ key = "" }) => key));
  const acknowledged = new Set(writes.filter(isWritten).map(({ key = "" }) => key));
  say([...acknowledged].filter((key) => !there.has(key)).length, "acknowledged writes were lost");
  say(rows.length - there.size, "writes made a row more than one");
  say([...there].filter((key) => !asked.has(key)).length, "rows were asked for by nobody");
  say(asked.size - acknowledged.size, "writes were never acknowledged");
  const failures = writes.filter((sample) => !isWritten(sample) && !mayLose?.(sample));
  say(failures.filter((sample) => !isRefusal(sample)).length, "writes failed");
  if (patient) return broken;
  const refusals = failures.filter(isRefusal);
  say(refusals.filter(({ ms, late }) => ms - late > 1000).length, "writes were refused after more than 1 s");
  const during = ({ at, ms }: Sample) => away.some(({ from, to }) => at + ms >= from && at <= to);
  say(refusals.filter((sample) => !during(sample)).length, "writes were refused while the database was available");
  return broken;
}

/** The writes in one line. */
export function describeWrites({ writes, rows }: Written): string {
  const refusals = writes.filter(isRefusal);
  const slowest = (samples: Sample[]) => largest(samples.map(({ ms }) => ms)).toFixed(0);
  const acknowledged = writes.filter(isWritten);
  return `writes: ${acknowledged.length} acknowledged, ${rows.length} rows; ${refusals.length} refused (slowest ${slowest(refusals)} ms) and sent again, ${writes.length - acknowledged.length - refusals.length} without an answer; the slowest acknowledged took ${slowest(acknowledged)} ms`;
}

/** A release, and from when until when an answer may be of it. */
export type Live = { release: string; from: number; to: number };

/** Says which visits were answered by a release that was not live at any moment from sending to answer. */
export function notLive(samples: Sample[], live: Live[]): string[] {
  const wrong = samples
    .filter(isVisit)
    .filter(
      (sample) =>
        !live.some((l) => l.release === sample.release && l.from <= sample.at + sample.ms && sample.at <= l.to),
    );
  const of = [...new Set(wrong.map(({ release = "none" }) => release))].join(", ");
  return wrong.length > 0 ? [`${wrong.length} answers were of a release that was not live then: ${of}`] : [];
}
