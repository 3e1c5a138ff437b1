// Shows the responses of this tab in a strip and requests the next one without a reload. The page works without it.
import { hueOf } from "../../src/visits/hue.ts";

const AUTO_REFRESH_MS = 2500;
const REQUEST_TIMEOUT_MS = 10_000;

/** A counted visit, or the reason why a visit has no number. */
type Answer = { name: string; total: number; problem?: undefined } | { name: string; problem: string };

const $ = (id: string) => document.getElementById(id) as HTMLElement;
const page = $("page");
const slots = $("strip").children.length;
const answers = recall<Answer[]>("answers", []);
let auto = recall("auto", false);
let requesting = false;
let timer: number | undefined;

/** A stored value, or `fallback` without one. */
function recall<Value>(key: string, fallback: Value): Value {
  try {
    return JSON.parse(sessionStorage.getItem(key) ?? "null") ?? fallback;
  } catch {
    return fallback;
  }
}

function store(key: string, value: unknown): void {
  try {
    sessionStorage.setItem(key, JSON.stringify(value));
  } catch {
    // Storage is optional: without it the strip is empty after each load of the page.
  }
}

const hueClass = (name: string) => `hue-${hueOf(name)}`;

function add(answer: Answer): void {
  answers.unshift(answer);
  answers.length = Math.min(answers.length, slots);
  store("answers", answers);
}

/** The number of a counted visit as text. */
const numberOf = (answer: Answer) => (answer.problem === undefined ? answer.total.toLocaleString("en") : undefined);

function element(tag: string, text: string): HTMLElement {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

function drawStrip(fresh: boolean): void {
  const items = Array.from({ length: slots }, (_, i) => {
    const answer = answers[i];
    const item = document.createElement("li");
    item.className = "slot";
    if (answer === undefined) return item;
    item.classList.add(answer.problem ? "failed" : hueClass(answer.name));
    if (i === 0 && fresh) item.classList.add("fresh");
    item.append(element("b", answer.name), element("span", numberOf(answer) ?? answer.problem ?? ""));
    item.title = item.textContent;
    return item;
  });
  $("strip").replaceChildren(...items);
}

function drawShares(): void {
  const counts = new Map<string, number>();
  for (const { name, problem } of answers) if (!problem) counts.set(name, (counts.get(name) ?? 0) + 1);
  const all = [...counts.values()].reduce((a, b) => a + b, 0);
  const items = [...counts].sort().map(([name, count]) => {
    const item = document.createElement("li");
    item.className = hueClass(name);
    const bar = element("span", "");
    bar.className = "bar";
    const fill = element("i", "");
    fill.className = "fill";
    fill.style.width = `${(100 * count) / all}%`;
    bar.append(fill);
    item.append(element("b", name), bar, element("span", String(count)));
    return item;
  });
  $("shares").replaceChildren(...items);
}

function drawAnswer(answer: Answer, database: string | undefined): void {
  const failed = answer.problem !== undefined;
  $("answer").className = failed ? "failed" : hueClass(answer.name);
  $("container").textContent = answer.name;
  $("total").textContent = numberOf(answer) ?? "–";
  $("database").textContent = database ?? "?";
  $("note").textContent = failed ? `No number for this visit (${answer.problem}). Try again in a moment.` : "";
  document.title = failed ? "No number · Halo" : `${answer.name} answered · Halo`;
}

async function visit(): Promise<{ answer: Answer; database?: string }> {
  try {
    const response = await fetch("/", {
      headers: { Accept: "application/json" },
      cache: "no-store",
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    const body = await response.json().catch(() => ({}));
    const name = body.container_id ?? response.headers.get("X-Served-By") ?? "balancer";
    const counted = response.ok && Number.isInteger(body.total_visits);
    const answer = counted ? { name, total: body.total_visits } : { name, problem: String(response.status) };
    return { answer, database: body.database_status };
  } catch (error) {
    const late = error instanceof Error && error.name === "TimeoutError";
    return { answer: { name: "nobody", problem: late ? "too late" : "no answer" } };
  }
}

async function refresh(byHand: boolean): Promise<void> {
  if (requesting) return;
  requesting = true;
  const before = answers[0];
  const { answer, database } = await visit();
  requesting = false;
  add(answer);
  drawAnswer(answer, database);
  drawStrip(true);
  drawShares();
  // A screen reader announces each manual refresh; of the automatic ones only a change between success and failure.
  if (byHand || Boolean(answer.problem) !== Boolean(before?.problem)) {
    $("live").textContent = answer.problem
      ? `No number: ${answer.problem}.`
      : `${answer.name} answered, visit ${numberOf(answer)}.`;
  }
  schedule();
}

function schedule(): void {
  clearTimeout(timer);
  if (auto && !document.hidden) timer = window.setTimeout(refresh, AUTO_REFRESH_MS, false);
}

function setAuto(on: boolean): void {
  auto = on;
  store("auto", on);
  $("auto").setAttribute("aria-checked", String(on));
  schedule();
}

$("refresh")
  .closest("form")
  ?.addEventListener("submit", (event) => {
    event.preventDefault();
    void refresh(true);
  });
$("auto").addEventListener("click", () => setAuto(!auto));
document.addEventListener("visibilitychange", schedule);

const { container = "", total } = page.dataset;
const rendered: Answer = total === "" ? { name: container, problem: "503" } : { name: container, total: Number(total) };
// A restored tab shows an answer that is in the strip already.
const sameVisit = (a: Answer) => a.name === rendered.name && numberOf(a) === numberOf(rendered);
if (rendered.problem || !answers.some(sameVisit)) add(rendered);
drawStrip(false);
drawShares();
document.documentElement.classList.add("scripted");
setAuto(auto);
