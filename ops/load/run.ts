import { now } from "../lib/clock.ts";
import { elapsed } from "../lib/exec.ts";
import { type Load, startLoad } from "../loadgen/load.ts";
import type { LoadOptions } from "../loadgen/options.ts";
import { latencies, percentile, type Sample } from "../loadgen/sample.ts";
import { clientMetrics, isFailure } from "./metrics.ts";
import { bounds, type Plan } from "./scenarios.ts";

/** One step of a search for the knee; `why` names the value out of bounds. */
export type Step = { rate: number; reached: number; p95: number; errors: number; why?: string };

/**
 * The result of a run: its requests in the order in which they were due, and how long they took in all, in s. `baselineLatency` is
 * the time, in ms, that half of the requests took which nginx answered at once by itself: the latency between it and the client.
 */
export type Run = { samples: Sample[]; seconds: number; steps: Step[]; baselineLatency?: number };

/** A name that the balancer does not answer for, and how often it is asked for it, a second. */
const probe = { domain: "load.invalid", path: "/", rate: 20, writes: undefined };

const wait = (ms: number, ended: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (ended.aborted) return resolve();
    const timer = setTimeout(resolve, ms);
    ended.addEventListener("abort", () => resolve(clearTimeout(timer)), { once: true });
  });

/**
 * Runs a plan, and shows its progress. Each load has a thread of its own; an interruption ends them early.
 *
 * @param target the balancer, the site and the prefix of the written rows' names
 */
export async function runLoad(
  plan: Plan,
  target: Pick<LoadOptions, "host" | "port" | "domain" | "tls" | "authorization" | "writes">,
  interrupted: AbortSignal,
): Promise<Run> {
  if (interrupted.aborted) return { samples: [], seconds: 0.001, steps: [] };
  const loads: Load[] = [];
  const steps: Step[] = [];
  const start = (options: Partial<LoadOptions>) => {
    const load = startLoad({ ...target, path: plan.path, connections: plan.connections, rate: 0, ...options });
    loads.push(load);
    return load;
  };
  const constant = async (rate: number, from: number, seconds: number) => {
    await wait(from * 1000, interrupted);
    if (interrupted.aborted) return [];
    const { samples, ended } = start({ rate, most: Math.round(rate * seconds) });
    await ended;
    return samples;
  };
  const stop = () => Promise.all(loads.map((load) => load.stop()));
  interrupted.addEventListener("abort", stop, { once: true });
  const since = performance.now();
  const probing = startLoad({ ...target, ...probe });
  const hide = show(loads, plan, since);
  try {
    if (plan.clients) {
      const limit = setTimeout(stop, plan.seconds * 1000);
      await start({ clients: plan.clients }).ended;
      clearTimeout(limit);
    }
    await Promise.all((plan.phases ?? []).map(({ rate, from, seconds }) => constant(rate, from, seconds)));
    if (plan.steps)
      await findKnee(plan.steps, async (rate) => {
        const samples = await constant(rate, 0, plan.seconds);
        if (interrupted.aborted) return undefined;
        const step = judge(rate, plan.seconds, samples);
        steps.push(step);
        console.log(`${elapsed(since)}: ${describeStep(step)}`);
        return step;
      });
  } finally {
    hide();
    interrupted.removeEventListener("abort", stop);
    await Promise.all([stop(), probing.stop()]);
  }
  const samples = loads.flatMap((load) => load.samples).sort((a, b) => a.at - b.at);
  const last = samples.reduce((end, { at, ms }) => Math.max(end, at + ms), 0);
  // The last request of a second's pace is due a second before the end.
  const planned = interrupted.aborted ? 0 : Math.max(0, ...(plan.phases ?? []).map((each) => each.from + each.seconds));
  const baselineLatency = percentile(
    probing.samples.filter(({ status }) => status > 0).map(({ ms, late }) => ms - late),
    0.5,
  );
  return {
    samples,
    seconds: Math.max((last - (samples[0]?.at ?? 0)) / 1000, planned, 0.001),
    steps,
    ...(baselineLatency === undefined ? {} : { baselineLatency }),
  };
}

/** One step in words. */
export const describeStep = ({ rate, reached, p95, errors, why }: Step): string =>
  `${rate}/s: ${reached.toFixed(0)}/s answered, p95 ${p95.toFixed(0)} ms, ${(errors * 100).toFixed(1)} % failed: ${why ?? "in bounds"}`;

/** Computes a step's result, and names the bound that it broke first. */
export function judge(rate: number, seconds: number, samples: Sample[]): Step {
  const { p95 = Number.POSITIVE_INFINITY, errors } = clientMetrics(samples, seconds);
  const end = samples.reduce((last, { at, ms }) => Math.max(last, at + ms), 0);
  const reached =
    samples.filter((sample) => !isFailure(sample)).length / Math.max(seconds, (end - (samples[0]?.at ?? 0)) / 1000);
  const why =
    errors > bounds.errors
      ? `more than ${bounds.errors * 100} % failed`
      : p95 > bounds.p95
        ? `p95 is over ${bounds.p95} ms`
        : undefined;
  return { rate, reached, p95, errors, ...(why ? { why } : {}) };
}

/**
 * Goes up until a rate is out of bounds, then between the best and the worst until they are a tenth apart.
 *
 * @param attempt tries one rate; undefined ends the search
 */
export async function findKnee(
  { from, to }: { from: number; to: number },
  attempt: (rate: number) => Promise<Step | undefined>,
): Promise<void> {
  let [held, broke] = [0, Number.POSITIVE_INFINITY];
  for (let rate = from; ; ) {
    const step = await attempt(rate);
    if (!step) return;
    if (step.why) broke = rate;
    else held = rate;
    if (held >= to || (held > 0 && broke <= held * bounds.near)) return;
    if (held === 0 && broke <= 1) return;
    const next = Number.isFinite(broke) ? (held + broke) / 2 : Math.min(to, rate * bounds.growth);
    rate = next > 20 ? Math.round(next) : next;
  }
}

/** The result of a search for the knee in a sentence. */
export function knee(steps: Step[], to: number): string {
  const held = steps.filter(({ why }) => !why).reduce((best, { rate }) => Math.max(best, rate), 0);
  const [broken] = steps.filter(({ why }) => why).toSorted((a, b) => a.rate - b.rate);
  if (!broken)
    return held >= to ? `the knee is above ${to}/s, where the search was to end` : "the search was cut short";
  const above = `at ${broken.rate}/s ${broken.why}`;
  return held > 0 ? `the knee is at ${held}/s: ${above}` : `no rate was in bounds: ${above}`;
}

/** Shows a run's progress: a terminal sees one line, in place; a pipe sees one every ten seconds. Gives a function that ends it. */
function show(loads: Load[], plan: Plan, since: number): () => void {
  const live = process.stdout.isTTY;
  if (live) process.stdout.on("error", () => {}); // the terminal is gone; its SIGHUP ends the run
  const whole = plan.steps ? "" : ` of ${plan.clients ? "at most " : ""}${plan.seconds} s`;
  const next = loads.map(() => 0);
  let failed = 0;
  const draw = () => {
    let requests = 0;
    const recent: Sample[] = [];
    for (const [i, { samples }] of loads.entries()) {
      requests += samples.length;
      for (let n = next[i] ?? 0; n < samples.length; n++) if (isFailure(samples[n] as Sample)) failed++;
      next[i] = samples.length;
      recent.push(...samples.slice(-5000).filter(({ at, ms }) => at + ms > now() - 5000));
    }
    const p95 = percentile(latencies(recent), 0.95);
    const seconds = Math.min(5, (performance.now() - since) / 1000);
    const line = `${elapsed(since)}${whole}: ${requests} requests, ${failed} failed; now ${(recent.length / seconds).toFixed(1)}/s, p95 ${p95?.toFixed(0) ?? "-"} ms`;
    if (live) process.stdout.write(`\r\x1b[2K${line.slice(0, (process.stdout.columns || 80) - 1)}`);
    else console.log(line);
  };
  const timer = setInterval(draw, live ? 500 : 10_000);
  return () => {
    clearInterval(timer);
    if (live) process.stdout.write("\r\x1b[2K");
  };
}
