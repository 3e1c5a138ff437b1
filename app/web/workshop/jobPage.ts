// One job: its details, its lines with their total, and its payment.
import { changesOf } from "./changes.ts";
import { dialledNumber, whatsappLink } from "./contact.ts";
import { dayHash } from "./days.ts";
import { h, icon, keepFocus } from "./dom.ts";
import { editDialog } from "./edit.ts";
import { editJob, entry, MOVES, type Move, moveJob, payJob, plate, readJob, thisMinute } from "./job.ts";
import { dateTime, day, money, quantity, t } from "./language.ts";
import { hideToast, toast } from "./notice.ts";
import type { Job, Line, Status } from "./records.ts";
import type { View } from "./view.ts";

/** Shows one job; it is read again after each change. */
export const jobPage: View = async (main, { id, signal, fail }) => {
  const heading = h("h1", { tabindex: -1 }, "…");
  const car = h("p", { class: "line" }, "\u00a0");
  const tools = h("div", { class: "tools" });
  const back = h("a", { href: "#/today" }, icon("left"), () => t("backToDay"));
  let sections = [h("section", { class: "panel ghost" })];
  main.replaceChildren(
    h("p", { class: "crumb" }, back),
    h("header", { class: "head" }, h("div", {}, heading, car), tools),
    ...sections,
  );

  async function edit(job: Job) {
    const done = await editJob(job, signal);
    if (!done || signal.aborted) return;
    if ("deleted" in done) location.hash = dayHash(new Date(job.scheduled_at));
    else await refresh().catch(fail);
  }

  async function editLine(line: Line | null) {
    const done = await editDialog("line", line, {
      signal,
      name: (each) => each.name,
      extra: { service_id: Number(id) },
    });
    if (done && !signal.aborted) await refresh().catch(fail);
  }

  async function move(job: Job, to: Status) {
    hideToast();
    const now = await moveJob(job, to);
    await refresh().catch(fail);
    // Without another version moveJob has shown the reason.
    if (now && now.version !== job.version)
      toast(() => t(now.status === to ? "moved" : "movedElsewhere", job.vehicle.plate, t(now.status)));
  }

  async function pay(job: Job, at: string | null) {
    hideToast();
    const now = await payJob(job, at);
    await refresh().catch(fail);
    if (!now || now.version === job.version) return;
    const text = () => t(now.paid_at ? "paidNow" : at ? "priceChanged" : "unpaidNow", money(now.price));
    toast(text, now.paid_at === at && { word: () => t("undo"), run: () => pay(now, job.paid_at) });
  }

  type Word = Move[0] | "edit" | "addLine" | "pay" | "unpay";
  const pill = (key: string, word: Word, picture: string, run: () => unknown, style = "") =>
    h(
      "button",
      { type: "button", class: `pill ${style}`, "data-key": key, "data-step": true, onclick: run },
      icon(picture),
      () => t(word),
    );

  const details = (job: Job) => [
    entry(
      "scheduled_at",
      "clock",
      h("span", {}, () => dateTime(job.scheduled_at)),
    ),
    entry("phone", "phone", h("a", { href: `tel:${dialledNumber(job.customer.phone)}` }, job.customer.phone)),
    whatsappLink(job.customer.phone, () => t("jobText", job.customer.name, job.vehicle.plate, job.kind, t(job.status))),
    job.mechanic && entry("mechanic", "wrench", h("span", {}, job.mechanic)),
    job.odometer !== null &&
      entry(
        "odometer",
        "car",
        h("span", {}, () => t("km", job.odometer ?? 0)),
      ),
    job.remind_at &&
      entry(
        "remind_at",
        "calendar",
        h("span", {}, () => t("nextService", day(job.remind_at ?? ""))),
      ),
    job.description && entry("description", "alert", h("span", { class: "long" }, job.description)),
    job.notes && entry("notes", "edit", h("span", { class: "long" }, job.notes)),
  ];

  const row = (line: Line, paid: boolean) => {
    const content = [
      h("b", {}, line.name),
      h("span", { class: "soft" }, () => `${t(line.type)} · ${quantity(line.quantity)} × ${money(line.unit_price)}`),
      h("span", { class: "price" }, () => money(line.total)),
    ];
    const button = { type: "button", "data-key": `line-${line.id}`, onclick: () => editLine(line) };
    return h(
      "li",
      {},
      paid ? h("div", { class: "row bill" }, ...content) : h("button", { class: "row bill", ...button }, ...content),
    );
  };

  const bill = (job: Job, lines: Line[]) => [
    h(
      "header",
      { class: "head" },
      h("h2", {}, () => t("lines")),
      !job.paid_at && pill("add-line", "addLine", "plus", () => editLine(null)),
    ),
    job.paid_at && h("p", { class: "none" }, () => t("error.paid")),
    lines.length === 0 && h("p", { class: "none" }, () => t("noLines")),
    h("ul", { class: "rows" }, ...lines.map((line) => row(line, job.paid_at !== null))),
    h(
      "p",
      { class: "total" },
      h("span", {}, () => t("total")),
      h("b", { class: "price" }, () => money(job.price)),
    ),
    h(
      "p",
      { class: "line between" },
      job.paid_at
        ? h("span", { class: "paid" }, () => `${t("paid")} · ${dateTime(job.paid_at ?? "")}`)
        : h("span", { class: "unpaid" }, () => t("unpaid")),
      job.paid_at
        ? pill("pay", "unpay", "undo", () => pay(job, null))
        : pill("pay", "pay", "check", () => pay(job, thisMinute()), "primary"),
    ),
  ];

  function draw(job: Job, lines: Line[], changes: HTMLElement | null) {
    heading.textContent = job.kind;
    back.href = dayHash(new Date(job.scheduled_at));
    car.replaceChildren(
      plate(job.vehicle.plate),
      `${job.vehicle.make} ${job.vehicle.model}`,
      h("a", { href: `#/customers/${job.customer.id}` }, job.customer.name),
      h("span", { class: `status is-${job.status}` }, () => t(job.status)),
    );
    tools.replaceChildren(
      ...MOVES[job.status].map(([word, picture, to], i) =>
        pill(`move${i}`, word, picture, () => move(job, to), word === "start" || word === "finish" ? "primary" : ""),
      ),
      pill("edit-job", "edit", "edit", () => edit(job)),
      ...(["nota", "order"] as const).map((word) =>
        h("a", { class: "pill", href: `#/jobs/${id}/${word}`, "data-key": word }, icon("print"), () => t(word)),
      ),
    );
    const before = sections;
    sections = [
      h("section", { class: "panel" }, ...details(job)),
      h("section", { class: "panel" }, ...bill(job, lines)),
      ...(changes ? [changes] : []),
    ];
    before[0]?.before(...sections);
    for (const each of before) each.remove();
  }

  async function refresh(): Promise<void> {
    const [[job, lines], changes] = await Promise.all([readJob(id, signal), changesOf(`/services/${id}`, signal)]);
    keepFocus(() => draw(job, lines, changes));
  }
  await refresh();
  return { title: () => heading.textContent };
};
