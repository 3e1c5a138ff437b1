// The rule that advises another number of backends.
import { limits } from "./definitions.ts";

/** The share of its CPUs that a backend may take for long: the bound of the alert CpuHigh. */
const [TARGET = 0.6] = limits.cpu;

/** The CPU of all backends together, each a share of its host's. A sum: their mean would change with their number, not with the load. */
const SUM = "backends:cpu:sum5m";

/** The queries of a load. Each has a value only where Prometheus has known it for the whole time. */
export const loadQueries = {
  steady: `min_over_time(${SUM}[15m]) and ${SUM} offset 15m`,
  peak: `max_over_time(${SUM}[1d]) and ${SUM} offset 1d`,
};

/** The lowest sum of 15 minutes, and the highest one of a day. */
export type Load = Partial<Record<keyof typeof loadQueries, number>>;

/** The number of backends whose CPUs would be busy up to the target: ceil(current x mean / target). */
export function wantedBackends(current: number, mean: number): number {
  // In binary 3 x 0.4 / 0.6 is a little more than 2.
  return Math.ceil(Number(((current * mean) / TARGET).toFixed(9)));
}

const percent = (share: number) => `${Math.round(share * 100)} %`;

/**
 * The advice on a number of backends, with its reason and the command; undefined where the number is right. More are advised for a
 * load that has lasted for 15 minutes. Fewer are advised if they carry the highest load of a day as well, and never fewer than two.
 */
export function adviceOn(current: number, { steady, peak }: Load): string | undefined {
  if (current === 0) return undefined;
  const instead = (wanted: number, why: string) =>
    `${wanted} backends instead of ${current}: ${why}, and the target is ${percent(TARGET)} (${SUM} of Prometheus). Next: npm run scale -- backends=${wanted}`;
  const more = wantedBackends(current, (steady ?? 0) / current);
  if (steady !== undefined && more > current)
    return instead(more, `for 15 minutes their CPUs were at least ${percent(steady / current)} busy on average`);
  const fewer = Math.max(2, wantedBackends(current, (peak ?? 0) / current));
  if (peak !== undefined && fewer < current)
    return instead(fewer, `in the last day these would have been at most ${percent(peak / fewer)} busy on average`);
  return undefined;
}
