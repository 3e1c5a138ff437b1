// The card of a metric: its large value, its curves with bands and marks, a legend, and a summary for screen readers.
import uPlot from "uplot";
import { formatValue, type Metric } from "./definitions.ts";
import type { Curve, Mark, State } from "./prometheus.ts";
import { levelAt, limitsAt, reading } from "./verdict.ts";

const HEIGHT = 168;
const binary = Array.from({ length: 40 }, (_, power) => 2 ** power);
const verdicts = ["well", "bad", "worse"];

export type Card = {
  element: HTMLElement;
  /** Draws `range` seconds of Prometheus' values; `over` names the range. */
  show: (state: State, range: number, over: string) => void;
  /** Shows the values at one point of time, an index of the state's times; null: the newest. */
  point: (index: number | null) => void;
  /** Draws again in the present colours. */
  repaint: () => void;
};

/** Creates an element with attributes and children; data only ever becomes text, never markup. */
export function h(tag: string, attributes: Record<string, string> = {}, ...children: (Node | string)[]): HTMLElement {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** The time of day, with its day where that is not today. */
export function clock(time: number, seconds = true): string {
  const at = new Date(time * 1000);
  const today = at.toDateString() === new Date().toDateString();
  const day = today || !seconds ? "" : `${at.toLocaleDateString("en-GB", { day: "numeric", month: "short" })}, `;
  return day + at.toLocaleTimeString("en-GB", seconds ? {} : { hour: "2-digit", minute: "2-digit" });
}

const paints = new Map<string, string>();
/** The present colour of a custom property of the style sheet, as rgb(), which a canvas needs. */
function paint(name: string): string {
  let colour = paints.get(name);
  if (!colour) {
    const probe = document.body.appendChild(h("i"));
    probe.style.color = `var(--${name})`;
    colour = getComputedStyle(probe).color;
    probe.remove();
    paints.set(name, colour);
  }
  return colour;
}
/** Discards the cached colours after a change of the colour scheme. */
export const forgetPaints = (): void => paints.clear();

/** The hosts in the order of their colours, which are the same in every metric. A curve without a host has the text's colour. */
const hosts: string[] = [];
const hue = ({ host }: Curve, i: number): string => {
  if (!host) return i === 0 ? "ink" : "soft";
  if (!hosts.includes(host)) hosts.push(host);
  return `line${hosts.indexOf(host) % 6}`;
};

const text = (value: number | null | undefined, unit: Metric["unit"]): string =>
  formatValue(value, unit).join(" ").trim();

const label = ({ host, name }: Curve) => [host, name].filter(Boolean).join(" ");

/** Makes the card of a metric. `choose` is called with the point that a pointer or a key has chosen, null for none. */
export function card(metric: Metric, choose: (index: number | null) => void): Card {
  const { id, title, unit, about, limits, low, log } = metric;
  const verdict = h("p", { class: "state" });
  const valueLine = h("p", { class: "now" });
  // As wide as the longest entry, so that the entries' places do not depend on their values.
  const wide = metric.pick === "both directions" || unit === "days";
  const legend = h("ul", { class: wide ? "legend wide" : "legend" });
  const summary = h("p", { class: "unseen", id: `${id}-words` });
  const plot = h("div", {
    class: "plot",
    role: "slider",
    tabindex: "0",
    "aria-label": `${title}: point of time`,
    "aria-describedby": `${id}-words`,
    "aria-valuemin": "0",
    "aria-valuemax": "0",
    "aria-valuenow": "0",
  });
  const nothing = h("p", { class: "nothing" });
  const element = h(
    "section",
    { class: "card", id, tabindex: "-1", "aria-labelledby": `${id}-title` },
    h("header", {}, h("h2", { id: `${id}-title` }, title), verdict),
    valueLine,
    h("div", { class: "frame" }, plot, nothing),
    legend,
    h("p", { class: "about" }, about),
    summary,
  );

  let chart: uPlot | null = null;
  let shape = "";
  let curves: Curve[] = [];
  let times: number[] = [];
  let marks: Mark[] = [];
  let chosen: number | null = null;

  function draw(range: number): void {
    const data: uPlot.AlignedData = [
      times,
      // A logarithm has no place for 0.
      ...curves.map(({ values }) =>
        log ? values.map((value) => (value === null ? null : Math.max(value, metric.scale[0]))) : values,
      ),
    ];
    const now = curves.map(({ name, host }) => `${name} ${host}`).join();
    const span = { min: (times.at(-1) ?? range) - range, max: times.at(-1) ?? range };
    if (chart && shape === now) {
      chart.setData(data, false);
      chart.setScale("x", span);
      return;
    }
    chart?.destroy();
    shape = now;
    chart = new uPlot(
      {
        width: Math.max(plot.clientWidth, 200),
        height: HEIGHT,
        legend: { show: false },
        // On the right half of an axis label.
        padding: [8, 18, 0, 0],
        cursor: {
          y: false,
          drag: { x: false, y: false, setScale: false },
          points: { size: 7 },
        },
        scales: {
          x: { time: true, min: span.min, max: span.max },
          y: {
            distr: log ? 3 : 1,
            range: (_, min, max) => {
              const [least, most] = metric.scale;
              if (log) return [least, Math.max(most, 10 ** Math.ceil(Math.log10(max || most)))];
              return [Math.min(least, min ?? 0), Math.max(most, unit === "ratio" && most === 1 ? 1 : (max ?? 0) * 1.1)];
            },
          },
        },
        axes: [
          {
            stroke: () => paint("soft"),
            grid: { show: false },
            ticks: { show: false },
            size: 26,
            gap: 6,
            space: 44,
            font: "12px system-ui, sans-serif",
            values: (_, splits) => splits.map((time) => clock(time, false)),
          },
          {
            stroke: () => paint("soft"),
            grid: { stroke: () => paint("grid"), width: 1 },
            ticks: { show: false },
            size: 58,
            gap: 6,
            space: 34,
            font: "12px system-ui, sans-serif",
            incrs: unit === "bytes" ? binary : undefined,
            splits: log
              ? (u) =>
                  [-5, -4, -3, -2, -1, 0, 1, 2]
                    .map((p) => 10 ** p)
                    .filter((at) => at >= (u.scales.y?.min ?? 0) * 0.99 && at <= (u.scales.y?.max ?? 0) * 1.01)
              : undefined,
            filter: (_, splits) => splits,
            values: (_, splits) => splits.map((value) => text(value, unit)),
          },
        ],
        series: [
          {},
          ...curves.map((curve, i) => ({
            stroke: () => paint(hue(curve, i)),
            width: curve.host ? 1.5 : 2,
            dash: curve.dashed ? [4, 4] : undefined,
            points: { show: false },
          })),
        ],
        hooks: {
          drawClear: [bands],
          draw: [flags],
          setCursor: [({ cursor: { idx, left } }) => choose((left ?? -1) < 0 || idx === undefined ? null : idx)],
        },
      },
      data,
      plot,
    );
  }

  /** The bad parts of the scale, tinted, with a line where they begin. */
  function bands(u: uPlot): void {
    const { left, top, width, height } = u.bbox;
    const starts = limitsAt(metric, curves, null).filter(Number.isFinite);
    u.ctx.save();
    u.ctx.beginPath();
    u.ctx.rect(left, top, width, height);
    u.ctx.clip();
    const place = (value: number) => u.valToPos(value, "y", true);
    for (const [i, start] of starts.entries()) {
      const from = place(start);
      const to = starts[i + 1] === undefined ? (low ? top + height : top) : place(Number(starts[i + 1]));
      const worse = i === limits.length - 1;
      u.ctx.fillStyle = paint(worse ? "worse-tint" : "bad-tint");
      u.ctx.fillRect(left, Math.min(from, to), width, Math.abs(to - from));
      u.ctx.strokeStyle = paint(worse ? "alarm" : "bad");
      u.ctx.setLineDash([2 * devicePixelRatio, 4 * devicePixelRatio]);
      u.ctx.beginPath();
      u.ctx.moveTo(left, from);
      u.ctx.lineTo(left + width, from);
      u.ctx.stroke();
    }
    u.ctx.restore();
  }

  /** Deploys, drills and releases: a line with a flag, or the time that it took. */
  function flags(u: uPlot): void {
    const { left, top, width, height } = u.bbox;
    const size = 5 * devicePixelRatio;
    u.ctx.save();
    u.ctx.beginPath();
    u.ctx.rect(left, 0, width, top + height);
    u.ctx.clip();
    for (const { kind, from, to } of marks) {
      const at = Math.round(u.valToPos(from, "x", true));
      u.ctx.fillStyle = paint(`mark-${kind}`);
      u.ctx.globalAlpha = 0.12;
      if (to !== null) u.ctx.fillRect(at, top, u.valToPos(to, "x", true) - at, height);
      u.ctx.globalAlpha = 0.9;
      u.ctx.fillRect(at, top, devicePixelRatio, height);
      u.ctx.beginPath();
      u.ctx.moveTo(at - size, top - size);
      u.ctx.lineTo(at + size, top - size);
      u.ctx.lineTo(at, top + size);
      u.ctx.fill();
    }
    u.ctx.restore();
  }

  /** The value that stands for all: [number, unit, whose]. */
  function standing(at: number | null): [string, string, string] {
    const all = curves.map((curve) => ({ curve, value: reading(curve, at) }));
    const known = all.flatMap(({ curve, value }) => (value === null ? [] : [{ curve, value }]));
    if (metric.pick === "both directions") {
      const sum = (name: string) =>
        known.filter(({ curve }) => curve.name === name).reduce((total, { value }) => total + value, 0);
      if (known.length === 0) return [...formatValue(null, unit), ""];
      return [text(sum("in"), unit), "in", `${text(sum("out"), unit)} out`];
    }
    if (metric.pick === "first of second")
      return [formatValue(all[0]?.value, unit)[0], all[1]?.value ? `of ${formatValue(all[1].value, unit)[0]}` : "", ""];
    if (metric.pick === "first") {
      const first = all.find(({ curve }) => !curve.host);
      return [...formatValue(first?.value, unit), ""];
    }
    const order = metric.pick === "least" ? 1 : -1;
    const [extreme] = known.sort((one, other) => order * (one.value - other.value));
    return [...formatValue(extreme?.value, unit), extreme?.curve.host ?? ""];
  }

  function values(): void {
    const [value, unitOf, whose] = standing(chosen);
    const when = [whose, chosen === null ? "" : clock(times[chosen] ?? 0)].filter(Boolean).join(" · ");
    // New elements: the unit follows its number, and one that stays would count as moved.
    valueLine.replaceChildren(h("b", {}, value), h("span", {}, unitOf), h("small", {}, when));
    const bad = levelAt(metric, curves, chosen);
    element.dataset.state = bad === null ? "" : String(verdicts[bad]);
    const limit = limitsAt(metric, curves, chosen)[Math.max(0, (bad ?? 0) - 1)];
    const exceeded = limit === undefined ? "" : `${low ? "under" : "over"} ${text(limit, unit)}`;
    verdict.textContent = bad === null ? "" : bad === 0 ? "healthy" : exceeded;
    legend.replaceChildren(
      ...curves.flatMap((curve, i) => {
        const value = (of: Curve | undefined) => h("b", {}, text(reading(of, chosen), unit));
        const swatch = h("i", { "aria-hidden": "true", class: `${hue(curve, i)}${curve.dashed ? " dashed" : ""}` });
        if (metric.pick !== "both directions") return h("li", {}, swatch, h("span", {}, label(curve)), value(curve));
        if (curve.name !== "in") return [];
        const out = curves.find(({ host, name }) => host === curve.host && name === "out");
        return h("li", {}, swatch, h("span", {}, curve.host), value(curve), "in", value(out), "out");
      }),
    );
    const at = chosen ?? times.length - 1;
    plot.setAttribute("aria-valuemax", String(Math.max(0, times.length - 1)));
    plot.setAttribute("aria-valuenow", String(Math.max(0, at)));
    plot.setAttribute("aria-valuetext", `${clock(times[at] ?? 0)}: ${[value, unitOf, whose].join(" ").trim()}`);
  }

  plot.addEventListener("keydown", (event) => {
    const last = times.length - 1;
    const moves: Record<string, number | null> = {
      ArrowLeft: Math.max(0, (chosen ?? last) - 1),
      ArrowRight: Math.min(last, (chosen ?? last) + 1),
      PageDown: Math.max(0, (chosen ?? last) - 10),
      PageUp: Math.min(last, (chosen ?? last) + 10),
      Home: 0,
      End: last,
      Escape: null,
    };
    const to = moves[event.key];
    if (to === undefined || event.metaKey || event.ctrlKey || event.altKey) return;
    event.preventDefault();
    choose(to);
  });
  plot.addEventListener("blur", () => choose(null));
  new ResizeObserver(() => chart?.setSize({ width: Math.max(plot.clientWidth, 200), height: HEIGHT })).observe(plot);

  return {
    element,
    show(state, range, over) {
      times = state.times;
      curves = state.curves.get(id) ?? [];
      marks = state.marks;
      if (chosen !== null && chosen >= times.length) chosen = null;
      const drawn = curves.flatMap((curve) => curve.values.filter((value) => value !== null));
      element.dataset.drawn = String(drawn.length);
      nothing.textContent = drawn.length === 0 ? `no data in the last ${over}` : "";
      draw(range);
      values();
      const lines = curves.map((curve) => {
        const { values, now } = curve;
        const seen = values.filter((value) => value !== null);
        const line = label(curve);
        if (seen.length === 0) return `${line} has no data`;
        return `${line} ${text(now, unit)} now, between ${text(Math.min(...seen), unit)} and ${text(Math.max(...seen), unit)}`;
      });
      summary.textContent = `Last ${over}: ${lines.join("; ") || "no data"}. ${verdict.textContent}`;
    },
    point(index) {
      if (index === chosen) return;
      chosen = index;
      if (chart) {
        const left = index === null ? -10 : chart.valToPos(times[index] ?? 0, "x");
        // Not published again: the card under the pointer moves all others.
        if (Math.abs((chart.cursor.left ?? -10) - left) > 0.5) chart.setCursor({ left, top: 0 }, false);
      }
      values();
    },
    repaint() {
      chart?.redraw(false);
      values();
    },
  };
}
