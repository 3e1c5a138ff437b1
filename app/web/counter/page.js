// Keeps the answers of this tab in a strip and asks again without a reload. The page works without it.
const EVERY_MS = 2500;
const PATIENCE_MS = 10_000;
const HUES = 12;

const $ = (id) => document.getElementById(id);
const page = $("page");
const slots = $("strip").children.length;
const answers = recall("answers", []);
let auto = recall("auto", false);
let asking = false;
let timer;

function recall(key, otherwise) {
  try {
    return JSON.parse(sessionStorage.getItem(key)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

function keep(key, value) {
  try {
    sessionStorage.setItem(key, JSON.stringify(value));
  } catch {
    // Storage is a comfort: without it the strip starts anew with each page.
  }
}

// The same sum as on the server, so that a reload does not change a colour.
function hueOf(name) {
  let sum = 0;
  for (let i = 0; i < name.length; i++) sum += name.charCodeAt(i);
  return `hue-${(sum * 5) % HUES}`;
}

/** An answer is {name, total} or, failed, {name, problem}. */
function add(answer) {
  answers.unshift(answer);
  answers.length = Math.min(answers.length, slots);
  keep("answers", answers);
}

const format = (total) => total.toLocaleString("en");

function element(tag, text) {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

function drawStrip(fresh) {
  const items = Array.from({ length: slots }, (_, i) => {
    const answer = answers[i];
    const item = document.createElement("li");
    item.className = "slot";
    if (answer === undefined) return item;
    item.classList.add(answer.problem ? "failed" : hueOf(answer.name));
    if (i === 0 && fresh) item.classList.add("fresh");
    item.append(element("b", answer.name), element("span", answer.problem ?? format(answer.total)));
    item.title = item.textContent;
    return item;
  });
  $("strip").replaceChildren(...items);
}

function drawShares() {
  const counts = new Map();
  for (const { name, problem } of answers) if (!problem) counts.set(name, (counts.get(name) ?? 0) + 1);
  const all = [...counts.values()].reduce((a, b) => a + b, 0);
  const items = [...counts].sort().map(([name, count]) => {
    const item = document.createElement("li");
    item.className = hueOf(name);
    const bar = element("span", "");
    bar.className = "bar";
    const fill = element("i", "");
    fill.className = "fill";
    fill.style.width = `${(100 * count) / all}%`;
    bar.append(fill);
    item.append(element("b", name), bar, element("span", count));
    return item;
  });
  $("shares").replaceChildren(...items);
}

function drawAnswer(answer, database) {
  const failed = answer.problem !== undefined;
  $("answer").className = failed ? "failed" : hueOf(answer.name);
  $("container").textContent = answer.name;
  $("total").textContent = failed ? "–" : format(answer.total);
  $("database").textContent = database ?? "?";
  $("note").textContent = failed ? `No number for this visit (${answer.problem}). Try again in a moment.` : "";
  document.title = failed ? "No number · Halo" : `${answer.name} answered · Halo`;
}

async function ask() {
  try {
    const response = await fetch("/", {
      headers: { Accept: "application/json" },
      cache: "no-store",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const body = await response.json().catch(() => ({}));
    const name = body.container_id ?? response.headers.get("X-Served-By") ?? "balancer";
    const counted = response.ok && Number.isInteger(body.total_visits);
    const answer = counted ? { name, total: body.total_visits } : { name, problem: String(response.status) };
    return { answer, database: body.database_status };
  } catch (error) {
    return { answer: { name: "nobody", problem: error.name === "TimeoutError" ? "too late" : "no answer" } };
  }
}

async function refresh(byHand) {
  if (asking) return;
  asking = true;
  const before = answers[0];
  const { answer, database } = await ask();
  asking = false;
  add(answer);
  drawAnswer(answer, database);
  drawStrip(true);
  drawShares();
  // Read out what the person asked for; of the automatic ones only a change between working and failing.
  if (byHand || Boolean(answer.problem) !== Boolean(before?.problem)) {
    $("live").textContent = answer.problem
      ? `No number: ${answer.problem}.`
      : `${answer.name} answered, visit ${format(answer.total)}.`;
  }
  schedule();
}

function schedule() {
  clearTimeout(timer);
  if (auto && !document.hidden) timer = setTimeout(refresh, EVERY_MS, false);
}

function setAuto(on) {
  auto = on;
  keep("auto", on);
  $("auto").setAttribute("aria-checked", String(on));
  schedule();
}

$("refresh").form.addEventListener("submit", (event) => {
  event.preventDefault();
  refresh(true);
});
$("auto").addEventListener("click", () => setAuto(!auto));
document.addEventListener("visibilitychange", schedule);

const { container, total } = page.dataset;
const rendered = total === "" ? { name: container, problem: "503" } : { name: container, total: Number(total) };
// A tab that the browser brings back shows an answer that is in the strip already.
if (rendered.problem || !answers.some((a) => a.name === rendered.name && a.total === rendered.total)) add(rendered);
drawStrip(false);
drawShares();
document.documentElement.classList.add("scripted");
setAuto(auto);
