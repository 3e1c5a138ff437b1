// Judges the metrics and states the verdict on top of the page.
import { exceededLimits, type Metric } from "./definitions.ts";
import type { Alert, Curve, Target } from "./prometheus.ts";

/** A curve's value at a point of time, an index of its values; null: the newest. */
export const reading = (curve: Curve | undefined, at: number | null): number | null =>
  (at === null ? curve?.now : curve?.values[at]) ?? null;

/** A metric's limits at such a point, in its unit: those of "first of second" are shares of the second curve. */
export const limitsAt = (metric: Metric, curves: Curve[], at: number | null): number[] =>
  metric.pick === "first of second"
    ? metric.limits.map((share) => share * (reading(curves[1], at) ?? Number.NaN))
    : metric.limits;

/** How many limits the worst curve exceeds at such a point: 0 well, 1 bad, 2 worse; null without a value or a limit. */
export function levelAt(metric: Metric, curves: Curve[], at: number | null): number | null {
  const judged = metric.pick === "first of second" ? curves.slice(0, 1) : curves;
  const limits = limitsAt(metric, curves, at);
  const levels = judged.flatMap((curve) => exceededLimits({ ...metric, limits }, reading(curve, at)) ?? []);
  return levels.length === 0 ? null : Math.max(...levels);
}

export type Verdict = { text: string; state: "well" | "bad" | "worse" };

/**
 * The sentence on top of the page. All is well only where no alert fires, every target answers and no metric is out of bounds.
 *
 * @param firing the alerts that fire; one for information counts as none
 * @param down the targets that do not answer
 * @param levels of the metrics out of bounds, each 1 or 2
 */
export function verdictOf(firing: Alert[], down: Target[], levels: number[]): Verdict {
  const urgent = firing.filter(({ severity }) => severity !== "info");
  if (urgent.length + down.length + levels.length === 0) return { text: "All is well", state: "well" };
  const count = (number: number, one: string, more: string) =>
    number === 0 ? [] : [number === 1 ? `1 ${one}` : `${number} ${more}`];
  const [alerts = "No alert"] = count(urgent.length, "alert", "alerts");
  const text = [
    alerts,
    ...count(down.length, "target is down", "targets are down"),
    ...count(levels.length, "metric out of bounds", "metrics out of bounds"),
  ].join("; ");
  const worse = urgent.some(({ severity }) => severity === "critical") || levels.includes(2);
  return { text, state: worse ? "worse" : "bad" };
}
