// A week: its jobs by day, the revenue of each day and of the month, and the customers to remind of their next service.
import { get, getAll, type Page } from "./api.ts";
import { whatsappLink } from "./contact.ts";
import { dayAfter, dayHash, dayOf, isoDay, midnight, monday, neighbours, utcOffset, weekHash } from "./days.ts";
import { h, icon, keepFocus, setText } from "./dom.ts";
import { plate, remindJob } from "./job.ts";
import { day, money, monthName, shortDay, sum, t, time, weekday } from "./language.ts";
import { hideToast, toast } from "./notice.ts";
import type { Job, Revenue } from "./records.ts";
import type { View } from "./view.ts";

const LIMIT = 100;

/** Shows the week of a day ("2026-11-21"); without a date, this week. */
export const week: View = async (main, { date, signal, fail }) => {
  const start = monday(dayOf(date ?? "") ?? new Date());
  const days = Array.from({ length: 7 }, (_, i) => dayAfter(start, i));
  const end = dayAfter(start, 7);
  const madeOn = isoDay(new Date());
  const present = monday(new Date()).getTime() === start.getTime();
  // This week can begin in another month than today's.
  const inMonth = present ? new Date() : start;
  const month = new Date(inMonth.getFullYear(), inMonth.getMonth(), 1);
  const monthEnd = new Date(inMonth.getFullYear(), inMonth.getMonth() + 1, 1);

  const { buttons, keys } = neighbours("previousWeek", "nextWeek", (weeks) => {
    location.hash = weekHash(dayAfter(start, 7 * weeks));
  });
  const heading = h("h1", { tabindex: -1 }, () =>
    present ? t("week") : `${shortDay(start)} – ${day(dayAfter(start, 6))}`,
  );
  const sums = h("dl", { class: "sums" });
  const grid = h("div", { class: "week" });
  const note = h("p", { class: "none" });
  const reminders = h("section", { class: "panel" });
  const ghost = h("div", { class: "panel ghost" });
  main.replaceChildren(
    h(
      "header",
      { class: "head" },
      heading,
      h(
        "div",
        { class: "tools" },
        !present && h("a", { class: "pill", href: "#/week" }, () => t("toWeek")),
        ...buttons,
      ),
    ),
    ghost,
  );

  /** The sum of the days of a period. */
  const revenueOf = ({ days: all }: Revenue, from: Date, to: Date) =>
    sum(all.filter((each) => each.day >= isoDay(from) && each.day < isoDay(to)).map(({ paid }) => paid));

  function drawSums(revenue: Revenue) {
    const today = midnight(new Date());
    const entry = (term: () => string, value: () => string) => h("div", {}, h("dt", {}, term), h("dd", {}, value));
    const paid = (term: () => string, from: Date, to: Date) => entry(term, () => money(revenueOf(revenue, from, to)));
    sums.replaceChildren(
      ...(present ? [paid(() => t("paidToday"), today, dayAfter(today, 1))] : []),
      paid(() => t("paidWeek"), start, end),
      paid(() => t("paidMonth", monthName(month)), month, monthEnd),
      entry(
        () => t("unpaidJobs", revenue.unpaid.jobs),
        () => money(revenue.unpaid.total),
      ),
    );
  }

  const slot = (job: Job) =>
    h(
      "li",
      {},
      h(
        "a",
        { class: `slot is-${job.status}`, href: `#/jobs/${job.id}`, "data-key": `job-${job.id}-page` },
        h("span", { class: "when" }, () => time(job.scheduled_at)),
        plate(job.vehicle.plate),
        h("span", { class: "kind" }, job.kind),
        h("span", { class: "unseen" }, () => t(job.status)),
      ),
    );

  function drawDays(jobs: Job[], revenue: Revenue) {
    grid.replaceChildren(
      ...days.map((each) => {
        const own = jobs.filter(({ scheduled_at }) => isoDay(new Date(scheduled_at)) === isoDay(each));
        const now = isoDay(each) === isoDay(new Date());
        return h(
          "section",
          { class: now ? "now" : "" },
          h(
            "h2",
            {},
            h("a", { href: dayHash(each), ...(now && { "aria-current": "date" }) }, () => weekday(each)),
            h("span", { class: "soft" }, () => money(revenueOf(revenue, each, dayAfter(each, 1)))),
          ),
          own.length === 0 ? h("p", { class: "none" }, () => t("nothingPlanned")) : h("ul", {}, ...own.map(slot)),
        );
      }),
    );
  }

  async function remind(job: Job, at: string | null) {
    hideToast();
    const now = await remindJob(job, at);
    await refresh().catch(fail);
    if (at === null && now?.remind_at === null)
      toast(() => t("reminded", job.customer.name), {
        word: () => t("undo"),
        run: () => remind(now, job.remind_at),
      });
  }

  const onlyFirst = ({ items, next }: Page<Job>) => next !== null && (() => t("onlyFirst", items.length));

  function drawReminders(due: Page<Job>) {
    const jobs = due.items;
    reminders.replaceChildren(
      h("h2", {}, () => t("reminders")),
      jobs.length === 0
        ? h("p", { class: "none" }, () => t("noReminders"))
        : h(
            "ul",
            { class: "rows" },
            ...jobs.map((job) =>
              h(
                "li",
                { class: "row reminder" },
                h("a", { href: `#/customers/${job.customer.id}` }, h("b", {}, job.customer.name)),
                plate(job.vehicle.plate),
                h("span", { class: "soft" }, () => t("since", job.kind, day(job.remind_at ?? ""))),
                h(
                  "div",
                  { class: "line" },
                  whatsappLink(job.customer.phone, () => t("remindText", job.customer.name, job.vehicle.plate)),
                  h(
                    "button",
                    {
                      type: "button",
                      class: "pill",
                      "data-key": `remind-${job.id}`,
                      "data-step": true,
                      "aria-label": () => `${t("remindDone")}: ${job.customer.name}`,
                      onclick: () => remind(job, null),
                    },
                    icon("check"),
                    () => t("remindDone"),
                  ),
                ),
              ),
            ),
          ),
      h("p", { class: "none" }, onlyFirst(due)),
    );
  }

  async function refresh(): Promise<void> {
    // The view is made for this day: at midnight another one can be today's week and month.
    if (isoDay(new Date()) !== madeOn) return void dispatchEvent(new HashChangeEvent("hashchange"));
    const at = (each: Date) => encodeURIComponent(each.toISOString());
    const from = month < start ? month : start;
    const to = monthEnd > end ? monthEnd : end;
    const offset = encodeURIComponent(utcOffset(start));
    const [jobs, revenue, due] = await Promise.all([
      getAll<Job>(`/services?from=${at(start)}&to=${at(end)}&sort=scheduled_at&limit=${LIMIT}`, signal),
      get<Revenue>(`/revenue?from=${at(from)}&to=${at(to)}&offset=${offset}`, signal),
      getAll<Job>(`/services?remind_before=${at(end)}&sort=scheduled_at&limit=${LIMIT}`, signal),
    ]);
    keepFocus(() => {
      drawSums(revenue);
      drawDays(jobs.items, revenue);
      setText(note, onlyFirst(jobs) || null);
      drawReminders(due);
      // Together after the first load, so that no visible part moves.
      ghost.replaceWith(sums, grid, note, reminders);
    });
  }
  await refresh();
  return { title: () => heading.textContent, keys };
};
