// The jobs of a day by status. The board refreshes itself and redraws only the cards that differ.
import { getAll, isAbort } from "./api.ts";
import { dayAfter, dayHash, dayOf, midnight, neighbours } from "./days.ts";
import { arrange, focusKey, h, icon, isTyping, keepFocus, refreshWords } from "./dom.ts";
import { STATUSES } from "./fields.ts";
import { editJob, lateness, MOVES, moveJob, plate, priceLink } from "./job.ts";
import { duration, fullDay, money, shortDay, sum, t, time } from "./language.ts";
import { hideToast, toast } from "./notice.ts";
import type { Job, Status } from "./records.ts";
import type { View } from "./view.ts";

const REFRESH_MS = 15_000;
/** The longest page that the API gives. */
const LIMIT = 100;
const ICONS: Record<Status, string> = { scheduled: "clock", in_progress: "wrench", done: "check", cancelled: "x" };

/** For each status, the cursor of the older jobs that were not loaded. */
type Truncated = Partial<Record<Status, string | null>>;

/** Loads the jobs of a day; for today also the open jobs of earlier days, and every job that was finished today, whenever it was planned. */
async function load(start: Date, today: boolean, signal: AbortSignal): Promise<{ items: Job[]; truncated: Truncated }> {
  const from = start.toISOString();
  const to = dayAfter(start, 1).toISOString();
  const ofDay = getAll<Job>(`/services?from=${from}&to=${to}&sort=scheduled_at&limit=${LIMIT}`, signal);
  if (!today) return { items: (await ofDay).items, truncated: {} };
  const latest = (filter: string, pages: number) =>
    getAll<Job>(`/services?${filter}&sort=-scheduled_at&limit=${LIMIT}`, signal, pages);
  const [own, late, open, done] = await Promise.all([
    ofDay,
    latest(`status=scheduled&to=${from}`, 1),
    latest(`status=in_progress&to=${from}`, 1),
    latest(`completed_from=${from}`, 5),
  ]);
  return {
    items: [...own.items, ...late.items, ...open.items, ...done.items],
    truncated: { scheduled: late.next, in_progress: open.next, done: done.next },
  };
}

/** The column that a phone shows. */
let chosen: Status = "scheduled";
/** The job that was just created; the next board focuses it. */
let arrived: number | null = null;

/** Makes the next board focus this job. */
export function announce(job: Job): void {
  arrived = job.id;
  chosen = job.status;
}

/** Shows the board of a day ("2026-11-21"); without a date, of today, also after midnight. */
export const board: View = async (main, { date, signal, fail }) => {
  const start = () => dayOf(date ?? "") ?? midnight(new Date());
  let jobs = new Map<number, Job>();
  const cards = new Map<number, { appearance: string; node: HTMLElement }>();
  const moving = new Set<number>();
  let changes = 0;
  let truncated: Truncated = {};

  const { buttons, keys } = neighbours("previousDay", "nextDay", (days) => {
    location.hash = dayHash(dayAfter(start(), days));
  });
  const heading = h("h1", { tabindex: -1 }, () => (date ? fullDay(start()) : t("today")));
  const columns = Object.fromEntries(STATUSES.map((status) => [status, column(status)])) as Record<
    Status,
    ReturnType<typeof column>
  >;
  const tabs = h("div", { class: "tabs" }, ...STATUSES.map((status) => columns[status].tab));
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
      h("div", { class: "tools" }, date && h("a", { class: "pill", href: "#/today" }, () => t("toToday")), ...buttons),
    ),
    tabs,
    h("div", { class: "board" }, ...STATUSES.map((status) => columns[status].node)),
    empty,
  );
  choose(chosen);

  function earned() {
    const done = [...jobs.values()].filter(({ status }) => status === "done");
    return done.length > 0 ? ` · ${t("doneFor", money(sum(done.map(({ price }) => price))))}` : "";
  }

  function column(status: Status) {
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
    const tabCount = h("b", {}, "–");
    const tab = h(
      "button",
      { type: "button", class: `tab is-${status}`, "data-key": `tab-${status}`, onclick: () => choose(status) },
      h("span", {}, () => t(status)),
      tabCount,
    );
    return { node, list, count, none, note, tab, tabCount };
  }

  function choose(status: Status) {
    chosen = status;
    for (const each of STATUSES) {
      columns[each].node.classList.toggle("chosen", each === status);
      columns[each].tab.setAttribute("aria-pressed", String(each === status));
    }
  }

  function card(job: Job) {
    const when = () =>
      midnight(new Date(job.scheduled_at)).getTime() === start().getTime()
        ? time(job.scheduled_at)
        : `${shortDay(job.scheduled_at)}, ${time(job.scheduled_at)}`;
    const key = (part: string) => `job-${job.id}-${part}`;
    const name = `${job.vehicle.make} ${job.vehicle.model}`;
    return h(
      "li",
      { class: `card${lateness(job) ? " late" : ""}`, "aria-busy": moving.has(job.id) && "true" },
      h("p", { class: "line between" }, h("span", { class: "when" }, when), priceLink(job)),
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
              "data-step": true,
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

  type Order = (a: Job, b: Job) => number;
  const byTime: Order = (a, b) => a.scheduled_at.localeCompare(b.scheduled_at) || a.id - b.id;
  const byCompletion: Order = (a, b) => (b.completed_at ?? "").localeCompare(a.completed_at ?? "") || b.id - a.id;

  function draw() {
    if (signal.aborted) return;
    keepFocus(() => {
      for (const status of STATUSES) {
        const own = [...jobs.values()]
          .filter((job) => job.status === status)
          .sort(status === "done" ? byCompletion : byTime);
        const { list, count, tabCount, none, note } = columns[status];
        const nodes = own.map((job) => {
          const appearance = JSON.stringify([job, moving.has(job.id), lateness(job) > 0]);
          const present = cards.get(job.id);
          if (present?.appearance === appearance) return present.node;
          const node = card(job);
          cards.set(job.id, { appearance, node });
          return node;
        });
        arrange(list, nodes);
        count.textContent = String(own.length);
        tabCount.textContent = String(own.length);
        none.hidden = own.length > 0;
        note.hidden = !truncated[status];
      }
      for (const id of cards.keys()) if (!jobs.has(id)) cards.delete(id);
    });
    empty.hidden = jobs.size > 0;
    refreshWords();
  }

  async function refresh(): Promise<void> {
    const since = changes;
    const loaded = await load(start(), !date, signal);
    // A move during the request makes its response stale.
    if (changes !== since) return refresh();
    jobs = new Map(loaded.items.map((job) => [job.id, job]));
    truncated = loaded.truncated;
    draw();
  }

  /** `before`: the job before the move that this one undoes. */
  async function move(job: Job, to: Status, before?: Job): Promise<void> {
    if (moving.has(job.id)) return;
    const neighbour = cards.get(job.id)?.node;
    const next = neighbour?.nextElementSibling ?? neighbour?.previousElementSibling;
    const focused = neighbour?.contains(document.activeElement);
    hideToast();
    changes++;
    moving.add(job.id);
    jobs.set(job.id, { ...job, status: to });
    draw();
    // The focus stays in the column: on the next card, or on the column's title after the last one.
    if (focused && next) next.querySelector<HTMLElement>(".move")?.focus();
    else if (focused) focusKey(`column-${job.status}`);
    const now = await moveJob(job, to, before?.completed_at);
    moving.delete(job.id);
    changes++;
    jobs.set(job.id, now ?? job);
    draw();
    if (!now) return refresh().catch(fail);
    // The job has not changed; moveJob has shown the reason.
    if (now.version === job.version) return;
    const text = () => t(now.status === to ? "moved" : "movedElsewhere", job.vehicle.plate, t(now.status));
    toast(text, now.status === to && !before && { word: () => t("undo"), run: () => move(now, job.status, job) });
  }

  async function edit(job: Job) {
    const done = await editJob(job, signal);
    if (!done || signal.aborted) return;
    changes++;
    await refresh().catch(fail);
  }

  await refresh();
  // A phone shows one column: the person's, or else the first one with a job.
  const filled = (status: Status) => columns[status].list.children.length > 0;
  choose(filled(chosen) ? chosen : (STATUSES.find(filled) ?? chosen));
  if (arrived !== null) {
    const node = cards.get(arrived)?.node;
    node?.classList.add("fresh");
    node?.querySelector<HTMLElement>(".open")?.focus();
    node?.scrollIntoView({ block: "nearest" });
    arrived = null;
  }

  let refreshing = false;
  const refreshIfIdle = async () => {
    // Never while the person works: in a dialog, in a field, or while a move is under way.
    if (
      refreshing ||
      document.hidden ||
      document.querySelector("dialog[open]") ||
      isTyping(document.activeElement) ||
      moving.size > 0
    )
      return;
    refreshing = true;
    try {
      await refresh();
    } catch (error) {
      // The board keeps its content; the next refresh tries again.
      if (!isAbort(error)) console.warn(error);
    } finally {
      refreshing = false;
    }
  };
  const timer = setInterval(refreshIfIdle, REFRESH_MS);
  document.addEventListener("visibilitychange", refreshIfIdle, { signal });
  signal.addEventListener("abort", () => clearInterval(timer));
  return { title: () => heading.textContent, keys };
};
