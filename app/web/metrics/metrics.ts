// The page: queries Prometheus while it is visible, and shows when Prometheus does not answer.
import { card, clock, forgetPaints, h } from "./chart.ts";
import { type Metric, metrics } from "./definitions.ts";
import { type Alert, type Mark, Recent, type State } from "./prometheus.ts";
import { levelAt, type Verdict, verdictOf } from "./verdict.ts";

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
const recent = new Recent();

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
    const state = await recent.load(wanted.seconds, app, own.signal);
    if (own.signal.aborted) return;
    if (String(state.apps) !== String(apps)) {
      apps = state.apps;
      renderChoices();
    }
    last = Date.now() / 1000;
    showAll();
    for (const each of cards) each.show(state, wanted.seconds, wanted.over);
    render(state);
    byId("lost").textContent = "";
    byId("asked").textContent = `As of ${clock(last)}`;
    document.body.classList.remove("stale");
  } catch (error) {
    if (own.signal.aborted) return;
    showOutage(error as Error);
  }
  timer = setTimeout(refresh, range.seconds <= 900 ? 5000 : 10_000);
}

/** Shows the cards and the marks: with the first answer, because alerts above them would push them down. */
const showAll = () => byId("main").setAttribute("aria-busy", "false");

/** Shows that Prometheus does not answer, and keeps the last values. */
function showOutage({ name, message }: Error): void {
  showAll();
  const why = name === "TimeoutError" ? "no answer within 10 s" : message;
  setVerdict({ text: "Prometheus is away", state: "worse" });
  const kept = last ? `The values are as of ${clock(last)}.` : "Nothing was heard of it since this page was opened.";
  const text = `No metrics from Prometheus (${why}). ${kept} It is asked again every few seconds.`;
  if (byId("lost").textContent !== text) byId("lost").textContent = text;
  byId("asked").textContent = "";
  document.body.classList.add("stale");
}

function setVerdict({ text, state }: Verdict | { text: string; state: "asking" }): void {
  const title = byId("verdict").querySelector("h1") as HTMLElement;
  if (title.textContent !== text) title.textContent = text; // a screen reader announces only changes
  byId("verdict").className = state;
  document.title = `${state === "well" ? "" : "● "}${text} · Halo metrics`;
}

/** Shows the verdict, the alerts and the list of marks. */
function render({ alerts, down, targets, marks, curves, grafana, advice }: State): void {
  const firing = alerts
    .filter(({ state }) => state === "firing")
    .sort((one, other) => rank(one.severity) - rank(other.severity) || one.since - other.since);
  const out = metrics.flatMap((metric) => {
    const level = levelAt(metric, curves.get(metric.id) ?? [], null) ?? 0;
    return level > 0 ? [{ metric, level }] : [];
  });
  const known = [...curves.values()].some((each) => each.some(({ now }) => now !== null));
  if (targets === 0 && !known) setVerdict({ text: "Prometheus has no metrics yet", state: "asking" });
  else
    setVerdict(
      verdictOf(
        firing,
        down,
        out.map(({ level }) => level),
      ),
    );

  fill(
    "alerts",
    ...firing.map(alertItem),
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
    ...(down.length === 0 && targets > 0 ? [h("li", {}, h("span", {}, `${targets} targets, all of them up`))] : []),
    // A line in either case, so that the cards keep their place when a metric exceeds its bounds.
    ...(out.length > 0
      ? [h("li", { class: "out" }, h("b", {}, "Out of bounds"), ...out.map(({ metric }) => cardLink(metric)))]
      : []),
    ...(out.length === 0 && known ? [h("li", {}, h("span", {}, "No metric out of bounds"))] : []),
    ...(advice ? [h("li", { class: "advice" }, h("b", {}, "Advice"), h("span", {}, advice))] : []),
  );
  fill(
    "marks",
    ...(marks.length > 0 ? marks.map(entry) : [h("li", {}, h("span", {}, `none in the last ${range.over}`))]),
  );
  byId("grafana").classList.toggle("absent", !grafana);
}

const cardLink = ({ id, title }: Metric) => h("a", { href: `#${id}` }, title);

/** An alert with the ways to its section of the runbook and to the card that shows its reason. */
function alertItem({ name, severity, summary, since, section }: Alert): HTMLElement {
  const metric = metrics.find(({ alerts }) => alerts.includes(name));
  return h(
    "li",
    { class: severity },
    h("b", {}, name),
    h("span", {}, summary),
    h("small", {}, `${severity}, since ${clock(since)}`),
    ...(section ? [h("a", { href: `runbook.html#${section}`, "aria-label": `Runbook: ${name}` }, "Runbook")] : []),
    ...(metric ? [cardLink(metric)] : []),
  );
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

/** Replaces an element's children where they differ; a link that stays keeps the focus. */
function fill(id: string, ...children: Node[]): void {
  const element = byId(id);
  const made = h("div", {}, ...children);
  if (element.innerHTML === made.innerHTML) return;
  const focused = element.contains(document.activeElement) && document.activeElement?.getAttribute("href");
  element.replaceChildren(...made.childNodes);
  if (focused) element.querySelector<HTMLElement>(`a[href="${CSS.escape(focused)}"]`)?.focus();
}

/** Shows the ranges and the apps. */
function renderChoices(): void {
  const link = (href: string, current: boolean, ...text: (Node | string)[]) =>
    h("a", { href, ...(current && { "aria-current": "true" }) }, ...text);
  fill(
    "ranges",
    ...ranges.map((each) =>
      link(address(each.hash, app), each === range, h("span", { class: "unseen" }, "Last "), each.name),
    ),
  );
  fill(
    "apps",
    ...[...new Set(["", ...apps, app])].map((name) =>
      link(address(range.hash, name), name === app, name || "All apps"),
    ),
  );
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
addEventListener("click", (event) => {
  const link = (event.target as Element).closest("#skip, #alerts a[href^='#']");
  if (!link) return;
  event.preventDefault();
  const target = byId(link.getAttribute("href")?.slice(1) ?? "");
  target.scrollIntoView();
  target.focus({ preventScroll: true });
});
document.addEventListener("visibilitychange", refresh);
for (const scheme of ["(prefers-color-scheme: dark)", "(prefers-contrast: more)"])
  matchMedia(scheme).addEventListener("change", () => {
    forgetPaints();
    for (const each of cards) each.repaint();
  });
choose();
