// The page: queries Prometheus while it is visible, and shows when Prometheus does not answer.
import { card, clock, forgetPaints, h } from "./chart.ts";
import { metrics } from "./definitions.ts";
import { loadState, type Mark, type State } from "./prometheus.ts";

const ranges = [
  { hash: "5m", seconds: 300, name: "5 min", over: "5 minutes" },
  { hash: "15m", seconds: 900, name: "15 min", over: "15 minutes" },
  { hash: "1h", seconds: 3600, name: "1 h", over: "hour" },
  { hash: "6h", seconds: 6 * 3600, name: "6 h", over: "6 hours" },
  { hash: "24h", seconds: 24 * 3600, name: "24 h", over: "24 hours" },
];
const fallback = ranges[1] ?? { hash: "", seconds: 900, name: "", over: "" };
const byId = (id: string) => document.getElementById(id) as HTMLElement;
const rank = (severity: string) => ["critical", "warning"].indexOf(severity) + 1 || 3;

const cards = metrics.map((metric) =>
  card(metric, (index) => {
    for (const each of cards) each.point(index);
  }),
);
byId("metrics").replaceChildren(...cards.map(({ element }) => element));

let range = fallback;
let app = "";
let apps: string[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;
let pending = new AbortController();
let last = 0;

/** Queries once, shows the result and plans the next query, sooner for a short range. A query in progress is aborted. */
async function refresh(): Promise<void> {
  clearTimeout(timer);
  pending.abort();
  if (document.hidden) return;
  const own = new AbortController();
  pending = own;
  const wanted = range;
  try {
    const state = await loadState(wanted.seconds, app, own.signal);
    if (own.signal.aborted) return;
    if (String(state.apps) !== String(apps)) {
      apps = state.apps;
      renderChoices();
    }
    last = Date.now() / 1000;
    for (const each of cards) each.show(state, wanted.seconds, wanted.over);
    render(state);
    byId("lost").textContent = "";
    byId("asked").textContent = `As of ${clock(last)}`;
    document.body.classList.remove("stale");
  } catch (error) {
    if (own.signal.aborted) return;
    showOutage(error as Error);
  }
  byId("main").setAttribute("aria-busy", "false");
  timer = setTimeout(refresh, range.seconds <= 900 ? 5000 : 10_000);
}

/** Shows that Prometheus does not answer, and keeps the last values. */
function showOutage({ name, message }: Error): void {
  const why = name === "TimeoutError" ? "no answer within 10 s" : message;
  setVerdict("Prometheus is away", "worse");
  const kept = last ? `The values are as of ${clock(last)}.` : "Nothing was heard of it since this page was opened.";
  const text = `No metrics from Prometheus (${why}). ${kept} It is asked again every few seconds.`;
  if (byId("lost").textContent !== text) byId("lost").textContent = text;
  byId("asked").textContent = "";
  document.body.classList.add("stale");
}

function setVerdict(text: string, state: string): void {
  const title = byId("verdict").querySelector("h1") as HTMLElement;
  if (title.textContent !== text) title.textContent = text; // a screen reader announces only changes
  byId("verdict").className = state;
  document.title = `${state === "well" ? "" : "● "}${text} · Halo metrics`;
}

/** Shows the verdict, the alerts and the list of marks. */
function render({ alerts, down, targets, marks, curves, grafana }: State): void {
  const firing = alerts
    .filter(({ state }) => state === "firing")
    .sort((one, other) => rank(one.severity) - rank(other.severity) || one.since - other.since);
  const urgent = firing.filter(({ severity }) => severity !== "info");
  const known = [...curves.values()].some((each) => each.some(({ now }) => now !== null));
  if (targets === 0 && !known) setVerdict("Prometheus has no metrics yet", "asking");
  else if (urgent.length > 0)
    setVerdict(
      urgent.length === 1 ? "1 alert" : `${urgent.length} alerts`,
      urgent.some(({ severity }) => severity === "critical") ? "worse" : "bad",
    );
  else if (down.length > 0)
    setVerdict(down.length === 1 ? "1 target is down" : `${down.length} targets are down`, "bad");
  else setVerdict("All is well", "well");

  byId("alerts").replaceChildren(
    ...firing.map(({ name, severity, summary, since }) =>
      h(
        "li",
        { class: severity },
        h("b", {}, name),
        h("span", {}, summary),
        h("small", {}, `${severity}, since ${clock(since)}`),
      ),
    ),
    ...(down.length > 0
      ? [
          h(
            "li",
            { class: "down" },
            h("b", {}, "Not answering"),
            h("span", {}, down.map(({ job, name }) => `${name} (${job})`).join(", ")),
            h("small", {}, `${targets - down.length} of ${targets} targets are up`),
          ),
        ]
      : []),
    ...(down.length === 0 && targets > 0
      ? [h("li", { class: "up" }, h("span", {}, `${targets} targets, all of them up`))]
      : []),
  );
  byId("marks").replaceChildren(
    ...(marks.length > 0 ? marks.map(entry) : [h("li", {}, h("span", {}, `none in the last ${range.over}`))]),
  );
  byId("grafana").hidden = !grafana;
}

function entry({ kind, text, from, to }: Mark): HTMLElement {
  const took = to === null ? "" : `, ${Math.round(to - from)} s`;
  return h(
    "li",
    { "data-kind": kind },
    h("i", { class: `mark-${kind}`, "aria-hidden": "true" }),
    h("time", { datetime: new Date(from * 1000).toISOString() }, clock(from)),
    h("b", {}, kind),
    h("span", {}, text + took),
  );
}

/** The address of a choice: the range, then the app if there is one. */
const address = (hash: string, name: string) => `#${hash}${name && `/${name}`}`;

/** Shows the ranges, and the apps where there are several. The present choice keeps the focus. */
function renderChoices(): void {
  const focused = document.activeElement?.getAttribute("href");
  const link = (href: string, current: boolean, ...text: (Node | string)[]) =>
    h("a", { href, ...(current && { "aria-current": "true" }) }, ...text);
  byId("ranges").replaceChildren(
    ...ranges.map((each) =>
      link(address(each.hash, app), each === range, h("span", { class: "unseen" }, "Last "), each.name),
    ),
  );
  const choices = apps.length > 1 || app ? [...new Set(["", ...apps, app])] : [];
  byId("apps").hidden = choices.length === 0;
  byId("apps").replaceChildren(
    ...choices.map((name) => link(address(range.hash, name), name === app, name || "All apps")),
  );
  if (focused) document.querySelector<HTMLElement>(`header a[href="${CSS.escape(focused)}"]`)?.focus();
}

function choose(): void {
  const [, hash, name = ""] = location.hash.match(/^#(\w+)(?:\/([a-z][a-z0-9-]*))?$/) ?? [];
  range = ranges.find((each) => each.hash === hash) ?? fallback;
  app = name;
  renderChoices();
  void refresh();
}

addEventListener("hashchange", choose);
// The address keeps the range and the app.
byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("main").focus();
});
document.addEventListener("visibilitychange", refresh);
for (const scheme of ["(prefers-color-scheme: dark)", "(prefers-contrast: more)"])
  matchMedia(scheme).addEventListener("change", () => {
    forgetPaints();
    for (const each of cards) each.repaint();
  });
choose();
