// A day's jobs by status. It asks again by itself and changes only what differs.
import { getAll, isAbort } from "./api.js";
import { arrange, focusKey, h, icon, isTyping, keepFocus, refreshWords } from "./dom.js";
import { STATUSES } from "./form.js";
import { editJob, lateness, MOVES, moveJob, plate } from "./job.js";
import { duration, fullDay, money, shortDay, t, time } from "./language.js";
import { hush, toast } from "./notice.js";

const EVERY_MS = 15_000;
const LIMIT = 100;
const ICONS = { scheduled: "clock", in_progress: "wrench", done: "check", cancelled: "x" };

const midnight = (at) => new Date(at.getFullYear(), at.getMonth(), at.getDate());
const dayAfter = (at, days) => new Date(at.getFullYear(), at.getMonth(), at.getDate() + days);
const pad = (n) => String(n).padStart(2, "0");

/** The address of a day's board: #/today for today. */
export function dayHash(at) {
  if (midnight(at).getTime() === midnight(new Date()).getTime()) return "#/today";
  return `#/day/${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
}

/** Exact sum of prices of the API, as another one. */
function sum(jobs) {
  const cents = jobs
    .reduce((all, { price }) => all + BigInt(price.replace(".", "")), 0n)
    .toString()
    .padStart(3, "0");
  return `${cents.slice(0, -2)}.${cents.slice(-2)}`;
}

/** The jobs of a day; today also what was left over from the days before, and what was finished today. */
async function load(start, today, signal) {
  const from = start.toISOString();
  const to = dayAfter(start, 1).toISOString();
  const ofDay = getAll(`/services?from=${from}&to=${to}&sort=scheduled_at&limit=${LIMIT}`, signal);
  if (!today) return { ...(await ofDay), some: {} };
  const before = (status, pages, since = "") =>
    getAll(`/services?status=${status}${since}&to=${from}&sort=-scheduled_at&limit=${LIMIT}`, signal, pages);
  const [own, late, open, done] = await Promise.all([
    ofDay,
    before("scheduled", 1),
    before("in_progress", 1),
    before("done", 5, `&from=${dayAfter(start, -14).toISOString()}`),
  ]);
  const doneToday = done.items.filter(({ completed_at }) => Date.parse(completed_at) >= start.getTime());
  return {
    items: [...own.items, ...late.items, ...open.items, ...doneToday],
    some: { scheduled: late.next, in_progress: open.next, done: done.next },
  };
}

let chosen = "scheduled"; // the column that a phone shows
let arrived = null; // a job to show the person, made a moment ago

/** The next board draws attention to this job. */
export function announce(job) {
  arrived = job.id;
  chosen = job.status;
}

/** Shows the board of a day ("2026-11-21"; none: today, also after midnight). */
export async function board(main, { date, signal, fail }) {
  const start = () => midnight(date ? new Date(`${date}T12:00`) : new Date());
  let jobs = new Map();
  const cards = new Map();
  const moving = new Set();
  let changes = 0;
  let some = {};

  const go = (days) => {
    location.hash = dayHash(dayAfter(start(), days));
  };
  const arrow = (name, key, days) =>
    h(
      "button",
      {
        type: "button",
        class: "round",
        "data-key": name,
        "aria-label": () => t(name),
        "aria-keyshortcuts": key,
        onclick: () => go(days),
      },
      icon(days < 0 ? "left" : "right"),
    );
  const heading = h("h1", { tabindex: -1 }, () => (date ? fullDay(start()) : t("today")));
  const columns = Object.fromEntries(STATUSES.map((status) => [status, column(status)]));
  const tabs = h(
    "div",
    { class: "tabs" },
    ...STATUSES.map((status) => {
      const tab = h(
        "button",
        { type: "button", class: `tab is-${status}`, "data-key": `tab-${status}`, onclick: () => choose(status) },
        h("span", {}, () => t(status)),
        h("b", {}, "–"),
      );
      columns[status].tab = tab;
      return tab;
    }),
  );
  const empty = h(
    "div",
    { class: "invite", hidden: true },
    h(
      "p",
      {},
      h("b", {}, () => t("noJobs")),
      " ",
      () => t("noJobsNext"),
    ),
    h("a", { class: "pill primary", href: date ? `#/new?date=${date}` : "#/new" }, icon("plus"), () => t("newJob")),
  );
  main.replaceChildren(
    h(
      "header",
      { class: date ? "head" : "head day" },
      h(
        "div",
        {},
        heading,
        h(
          "p",
          { class: "soft" },
          () => (date ? t("jobs", jobs.size) : fullDay(start())),
          h("span", { class: "earned" }, earned),
        ),
      ),
      h(
        "div",
        { class: "tools" },
        date && h("a", { class: "pill", href: "#/today" }, () => t("toToday")),
        arrow("previousDay", "ArrowLeft", -1),
        arrow("nextDay", "ArrowRight", 1),
      ),
    ),
    tabs,
    h("div", { class: "board" }, ...STATUSES.map((status) => columns[status].node)),
    empty,
  );
  choose(chosen);

  function earned() {
    const done = [...jobs.values()].filter(({ status }) => status === "done");
    return done.length > 0 ? ` · ${t("doneFor", money(sum(done)))}` : "";
  }

  function column(status) {
    const list = h("ul", { class: "cards" }, ...Array.from({ length: 3 }, () => h("li", { class: "card ghost" })));
    const count = h("span", { class: "count" }, "–");
    const title = h(
      "h2",
      { tabindex: -1, "data-key": `column-${status}` },
      icon(ICONS[status]),
      () => t(status),
      count,
    );
    const none = h("p", { class: "none", hidden: true }, () => t(`none_${status}`));
    const note = h("p", { class: "none", hidden: true }, () => t("onlySome", list.children.length));
    const node = h("section", { class: `column is-${status}` }, title, none, list, note);
    return { node, list, count, none, note };
  }

  function choose(status) {
    chosen = status;
    for (const each of STATUSES) {
      columns[each].node.classList.toggle("chosen", each === status);
      columns[each].tab.setAttribute("aria-pressed", String(each === status));
    }
  }

  function card(job) {
    const when = () =>
      midnight(new Date(job.scheduled_at)).getTime() === start().getTime()
        ? time(job.scheduled_at)
        : `${shortDay(job.scheduled_at)}, ${time(job.scheduled_at)}`;
    const key = (what) => `job-${job.id}-${what}`;
    const name = `${job.vehicle.make} ${job.vehicle.model}`;
    return h(
      "li",
      { class: `card${lateness(job) ? " late" : ""}`, "aria-busy": moving.has(job.id) && "true" },
      h(
        "p",
        { class: "line between" },
        h("span", { class: "when" }, when),
        h("span", { class: "price" }, () => money(job.price)),
      ),
      lateness(job) > 0 && h("strong", { class: "badge" }, icon("alert"), () => t("late", duration(lateness(job)))),
      h(
        "button",
        {
          type: "button",
          class: "open",
          "data-key": key("edit"),
          "aria-label": () => `${t("editOf", job.kind)}, ${job.vehicle.plate}`,
          onclick: () => edit(job),
        },
        h("span", { class: "kind" }, job.kind),
        icon("edit"),
      ),
      h("p", { class: "line" }, plate(job.vehicle.plate), h("span", { class: "cut" }, name)),
      h("p", { class: "cut" }, h("a", { href: `#/customers/${job.customer.id}` }, job.customer.name)),
      h(
        "div",
        { class: "moves" },
        ...MOVES[job.status].map(([word, picture, to], i) =>
          h(
            "button",
            {
              type: "button",
              class: `move is-${to}${i > 0 ? " second" : ""}`,
              "data-key": key(`move${i}`),
              "aria-label": () => t("moveOf", t(word), job.vehicle.plate),
              title: () => t(word),
              onclick: () => move(job, to),
            },
            icon(picture),
            i === 0 && (() => t(word)),
          ),
        ),
      ),
    );
  }

  const order = {
    scheduled: (a, b) => a.scheduled_at.localeCompare(b.scheduled_at) || a.id - b.id,
    done: (a, b) => (b.completed_at ?? "").localeCompare(a.completed_at ?? "") || b.id - a.id,
  };

  function draw() {
    keepFocus(() => {
      for (const status of STATUSES) {
        const own = [...jobs.values()].filter((job) => job.status === status).sort(order[status] ?? order.scheduled);
        const { list, count, tab, none, note } = columns[status];
        const nodes = own.map((job) => {
          const looks = JSON.stringify([job, moving.has(job.id), lateness(job) > 0]);
          if (cards.get(job.id)?.looks !== looks) cards.set(job.id, { looks, node: card(job) });
          return cards.get(job.id).node;
        });
        arrange(list, nodes);
        count.textContent = own.length;
        tab.lastChild.textContent = own.length;
        none.hidden = own.length > 0;
        note.hidden = !some[status];
      }
    });
    empty.hidden = jobs.size > 0;
    refreshWords();
  }

  async function refresh() {
    const since = changes;
    const loaded = await load(start(), !date, signal);
    // A move during the question makes its answer old.
    if (changes !== since) return refresh();
    jobs = new Map(loaded.items.map((job) => [job.id, job]));
    some = loaded.some;
    draw();
  }

  /** before: the job as it was, when a move is undone. */
  async function move(job, to, before) {
    if (moving.has(job.id)) return;
    const neighbour = cards.get(job.id)?.node;
    const next = neighbour?.nextElementSibling ?? neighbour?.previousElementSibling;
    const focused = neighbour?.contains(document.activeElement);
    hush();
    changes++;
    moving.add(job.id);
    jobs.set(job.id, { ...job, status: to });
    draw();
    // The keyboard stays in the column: on the next card, or on the column's title after the last one.
    if (focused && next) next.querySelector(".move").focus();
    else if (focused) focusKey(`column-${job.status}`);
    const now = await moveJob(job, to, before?.completed_at);
    moving.delete(job.id);
    changes++;
    jobs.set(job.id, now ?? job);
    if (signal.aborted) return;
    draw();
    if (!now) return refresh().catch(fail);
    // Nothing came of it; why has been said.
    if (now.version === job.version) return;
    const word = () => t(now.status === to ? "moved" : "movedElsewhere", job.vehicle.plate, t(now.status));
    toast(word, now.status === to && !before && { word: () => t("undo"), run: () => move(now, job.status, job) });
  }

  async function edit(job) {
    const done = await editJob(job);
    if (!done || signal.aborted) return;
    changes++;
    await refresh().catch(fail);
  }

  await refresh();
  if (arrived !== null) {
    const node = cards.get(arrived)?.node;
    node?.classList.add("fresh");
    node?.querySelector(".open").focus();
    node?.scrollIntoView({ block: "nearest" });
    arrived = null;
  }

  let asking = false;
  const again = async () => {
    // Never under somebody's hands: not while a dialog is open, something is typed or a move is on its way.
    if (
      asking ||
      document.hidden ||
      document.querySelector("dialog[open]") ||
      isTyping(document.activeElement) ||
      moving.size > 0
    )
      return;
    asking = true;
    try {
      await refresh();
    } catch (error) {
      // What is shown stays; the next round asks again.
      if (!isAbort(error)) console.warn(error);
    } finally {
      asking = false;
    }
  };
  const timer = setInterval(again, EVERY_MS);
  document.addEventListener("visibilitychange", again, { signal });
  signal.addEventListener("abort", () => clearInterval(timer));
  return { title: () => heading.textContent, keys: { ArrowLeft: () => go(-1), ArrowRight: () => go(1) } };
}
