// Shows the answers of this tab and the state of the hosts, and requests the next answer without a reload. The page works without it.
import { DISCONNECTED } from "../../src/visits/contract.ts";
import { hueOf } from "../../src/visits/hue.ts";
import {
  type Answer,
  answered,
  type Backend,
  type Cluster,
  observe,
  type States,
  stopped,
  unknown,
} from "./parts/cluster.ts";
import { drawScene, type Scene, travel } from "./parts/drawing.ts";
import { count, currentLanguage, type Language, label, list, setLanguage, t } from "./parts/language.ts";

const AUTO_REFRESH_MS = 2500;
const REQUEST_TIMEOUT_MS = 10_000;
/** An answer that takes longer is waited for visibly. */
const WAITING_AFTER_MS = 300;
const STATES_MS = 2000;
/** Answered by nginx and never by the service: a request more would break the backends' turn. */
const STATES_PATH = "/assets/backends.json";

const $ = (id: string) => document.getElementById(id) as HTMLElement;
const page = $("page");
const drawing = document.querySelector<SVGSVGElement>("#drawing") as SVGSVGElement;
const slots = $("strip").children.length;
const answers = recall<Answer[]>("answers", []);
let cluster = recall<Cluster>("cluster", unknown);
let auto = recall("auto", false);
let requesting = false;
let waiting = false;
let timer: number | undefined;

/** A value of this tab, or `fallback` without one. */
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

function keep(answer: Answer): void {
  answers.unshift(answer);
  answers.length = Math.min(answers.length, slots);
  store("answers", answers);
}

function add(answer: Answer): void {
  keep(answer);
  change(answered(cluster, answer));
}

const colourOf = (answer: Answer) => ("total" in answer ? `hue-${hueOf(answer.name)}` : "failed");
const nameOf = ({ name }: Answer) => name ?? t("nobody");
const problemOf = (problem: string) => (problem === "late" || problem === "silent" ? t(problem) : problem);
/** The number of a counted visit as text, or the problem. */
const resultOf = (answer: Answer) => ("total" in answer ? count(answer.total) : problemOf(answer.problem));

function element(tag: string, text: string): HTMLElement {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

function drawAnswer(answer: Answer): void {
  const failed = "problem" in answer;
  $("answer").className = colourOf(answer);
  $("container").textContent = nameOf(answer);
  $("total").textContent = failed ? "–" : resultOf(answer);
  label($("database"), failed ? (answer.disconnected ? "disconnected" : "unknown") : "connected");
  $("note").textContent = failed ? t("noNumber", resultOf(answer)) : "";
  document.title = failed ? t("failedTitle") : t("answeredTitle", answer.name);
}

function drawStrip(fresh: boolean): void {
  const items = Array.from({ length: slots }, (_, i) => {
    const answer = answers[i];
    const item = document.createElement("li");
    item.className = "slot";
    if (answer === undefined) return item;
    item.classList.add(colourOf(answer));
    if (i === 0 && fresh) item.classList.add("fresh");
    item.append(element("b", nameOf(answer)), element("span", resultOf(answer)));
    item.title = item.textContent;
    return item;
  });
  $("strip").replaceChildren(...items);
}

/** The hosts as they are drawn. */
function scene(): Scene {
  const [newest] = answers;
  const counted = answers.flatMap((answer) => ("total" in answer ? [answer.name] : []));
  return {
    you: t("you"),
    balancer: { name: cluster.balancer || "nginx", reachable: cluster.reachable },
    redis: cluster.redis,
    backends: Object.entries(cluster.backends)
      // backend2 before backend10; localeCompare's first use would cost a slow phone a tenth of a second.
      .sort(([a], [b]) => a.length - b.length || (a < b ? -1 : 1))
      .map(([name, { state }]) => ({
        name,
        colour: `hue-${hueOf(name)}`,
        alive: state === "answers",
        state: t(state),
        share: t("share", count(counted.filter((each) => each === name).length), count(counted.length)),
      })),
    ...(newest && "total" in newest && { last: newest.name }),
    waiting,
  };
}

/** One sentence for each thing that is not as usual. */
function news(): string {
  const { names, answers: since, failed } = stopped(cluster);
  const drained = Object.keys(cluster.backends).filter((name) => cluster.backends[name]?.state === "drained");
  if (!cluster.reachable) return t("balancerSilent", cluster.balancer || "nginx");
  if (names.length > 0 && names.length + drained.length === Object.keys(cluster.backends).length)
    return t("noneAnswers");
  const sentences = [
    ...(cluster.redis ? [] : [t("redisSilent")]),
    ...(drained.length > 0 ? [t("resting", list(drained))] : []),
    ...(names.length === 0
      ? []
      : failed === 0
        ? [t("unnoticed", list(names), count(since))]
        : [t("noticed", list(names), count(since), count(failed))]),
  ];
  return sentences.join(". ") || t("allAnswer");
}

function drawCluster(): void {
  const shown = scene();
  drawScene(drawing, shown);
  const texts = shown.backends.map(({ name, state, share }) => `${name}: ${state}, ${share}.`);
  drawing.setAttribute("aria-label", t("drawing", shown.balancer.name, texts.join(" ")));
  $("news").textContent = news();
}

/** Keeps a state of the cluster and draws it; a screen reader announces a host that stops or returns. */
function change(to: Cluster): void {
  const { reachable, redis, backends } = cluster;
  const differs = ([name, { state }]: [string, Backend]) => (backends[name]?.state ?? state) !== state;
  const announced = to.reachable !== reachable || to.redis !== redis || Object.entries(to.backends).some(differs);
  cluster = to;
  store("cluster", cluster);
  drawCluster();
  if (announced) $("live").textContent = news();
}

function drawAll(): void {
  const [newest] = answers;
  if (newest) drawAnswer(newest);
  drawStrip(false);
  drawCluster();
}

async function visit(): Promise<Answer> {
  try {
    const response = await fetch(location.origin, {
      headers: { Accept: "application/json" },
      cache: "no-store",
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    const body = await response.json().catch(() => ({}));
    if (response.ok && Number.isInteger(body.total_visits))
      return { name: body.container_id, total: body.total_visits };
    const name = body.container_id ?? response.headers.get("X-Served-By") ?? (cluster.balancer || "nginx");
    return { name, problem: String(response.status), disconnected: body.database_status === DISCONNECTED };
  } catch (error) {
    return { problem: error instanceof Error && error.name === "TimeoutError" ? "late" : "silent" };
  }
}

function setWaiting(on: boolean, announce = false): void {
  waiting = on;
  page.classList.toggle("waiting", on);
  label($("refresh"), on ? "waiting" : "refresh");
  $("refresh").setAttribute("aria-disabled", String(on));
  drawCluster();
  if (announce) $("live").textContent = t("waiting");
}

async function refresh(byHand: boolean): Promise<void> {
  if (requesting) return;
  requesting = true;
  const before = answers[0];
  const slow = setTimeout(setWaiting, WAITING_AFTER_MS, true, byHand);
  const answer = await visit();
  clearTimeout(slow);
  requesting = false;
  if (waiting) setWaiting(false);
  add(answer);
  drawAnswer(answer);
  drawStrip(true);
  travel(drawing, scene());
  // A screen reader announces each manual refresh; of the automatic ones only a change between success and failure.
  const failed = "problem" in answer;
  if (byHand || failed !== (before && "problem" in before))
    $("live").textContent = failed ? t("failed", resultOf(answer)) : t("answered", answer.name, resultOf(answer));
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

/** Asks for the hosts' states again and again; ends where nginx has no such document, as under `npm run dev`. */
async function follow(): Promise<void> {
  for (; ; await new Promise((resolve) => setTimeout(resolve, STATES_MS))) {
    if (document.hidden) continue;
    try {
      const response = await fetch(location.origin + STATES_PATH, {
        cache: "no-store",
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      });
      if (response.status === 404) return;
      if (response.ok) change(observe(cluster, (await response.json()) as States));
    } catch (error) {
      // A document that is cut off says nothing about the hosts.
      if (!(error instanceof SyntaxError)) change({ ...cluster, reachable: false });
    }
  }
}

$("refresh")
  .closest("form")
  ?.addEventListener("submit", (event) => {
    event.preventDefault();
    void refresh(true);
  });
$("auto").addEventListener("click", () => setAuto(!auto));
document.addEventListener("visibilitychange", schedule);
for (const button of document.querySelectorAll<HTMLElement>("[data-language]"))
  button.addEventListener("click", () => {
    setLanguage(button.dataset.language as Language);
    drawAll();
  });

const { container = "", total } = page.dataset;
const rendered: Answer =
  total === "" ? { name: container, problem: "503", disconnected: true } : { name: container, total: Number(total) };
// A restored tab shows an answer that is in the strip already.
const sameVisit = (each: Answer) => "total" in each && each.name === container && each.total === Number(total);
if ("problem" in rendered || !answers.some(sameVisit)) {
  keep(rendered);
  cluster = answered(cluster, rendered);
  store("cluster", cluster);
}
document.documentElement.classList.add("scripted");
setLanguage(currentLanguage());
drawAnswer(answers[0] ?? rendered);
drawStrip(false);
let arrived = false;
// It calls once before the first paint, when the layout is known: a drawing before that would cost a slow phone a second layout.
new ResizeObserver(() => {
  drawCluster();
  if (!arrived) travel(drawing, scene());
  arrived = true;
}).observe(drawing);
setAuto(auto);
void follow();
