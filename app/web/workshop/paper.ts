// A job on paper, one page: the nota for the customer, and the work order for the mechanic.
import { type Child, h, icon } from "./dom.ts";
import { readJob } from "./job.ts";
import { dateTime, day, money, quantity, t } from "./language.ts";
import type { Job, Line } from "./records.ts";
import type { View } from "./view.ts";
import type { Words } from "./words.ts";

type Term = "customer" | "vehicle" | (`field.${string}` & keyof Words);
/** Empty rows of a work order, for work that turns up. */
const SPARE_ROWS = 4;

const cell = (content: Child, style = "") => h("td", { class: style }, content);
const heads = (...words: ("item" | "amount" | "unit" | "sum" | "doneBox")[]) =>
  h("thead", {}, h("tr", {}, ...words.map((word) => h("th", { scope: "col", class: word }, () => t(word)))));

function terms(job: Job): HTMLElement {
  const entries: [Term, Child][] = [
    ["customer", job.customer.name],
    ["field.phone", job.customer.phone],
    ["field.plate", job.vehicle.plate],
    ["vehicle", `${job.vehicle.make} ${job.vehicle.model}`],
    ["field.odometer", job.odometer === null ? "" : () => t("km", job.odometer ?? 0)],
    ["field.mechanic", job.mechanic],
    ["field.scheduled_at", () => dateTime(job.scheduled_at)],
  ];
  return h(
    "dl",
    {},
    ...entries.map(([term, value]) =>
      h(
        "div",
        {},
        h("dt", {}, () => t(term)),
        h("dd", {}, value || "–"),
      ),
    ),
  );
}

/** A job without lines is one line with the job's price. */
function nota(job: Job, lines: Line[]): Child[] {
  const rows = lines.map((line) => [line.name, line.quantity, line.unit_price, line.total] as const);
  if (rows.length === 0) rows.push([job.kind, "1", job.price, job.price]);
  return [
    h(
      "table",
      {},
      heads("item", "amount", "unit", "sum"),
      h(
        "tbody",
        {},
        ...rows.map(([name, count, each, total]) =>
          h(
            "tr",
            {},
            cell(name),
            cell(() => quantity(count), "amount"),
            cell(() => money(each), "amount unit"),
            cell(() => money(total), "amount"),
          ),
        ),
      ),
      h(
        "tfoot",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "row", colspan: 2 }, () => t("total")),
          cell("", "unit"),
          cell(() => money(job.price), "amount"),
        ),
      ),
    ),
    h(
      "p",
      { class: "stamp" },
      h("b", {}, () => (job.paid_at ? `${t("paid")} · ${day(job.paid_at)}` : t("unpaid"))),
    ),
    job.remind_at && h("p", {}, () => t("nextService", day(job.remind_at ?? ""))),
    h("p", {}, () => t("thanks")),
  ];
}

function order(job: Job, lines: Line[]): Child[] {
  const text = (term: Term, value: string | null) =>
    value &&
    h(
      "div",
      {},
      h("h2", {}, () => t(term)),
      h("p", { class: "long" }, value),
    );
  const rows: Child[] = [job.kind, ...lines.map((line) => () => `${line.name} (${quantity(line.quantity)})`)];
  return [
    text("field.description", job.description),
    text("field.notes", job.notes),
    h(
      "table",
      {},
      heads("item", "doneBox"),
      h(
        "tbody",
        {},
        ...[...rows, ...Array.from({ length: SPARE_ROWS }, () => "\u00a0")].map((row) =>
          h("tr", {}, cell(row), cell("☐", "amount")),
        ),
      ),
    ),
    h(
      "div",
      { class: "signatures" },
      h("p", {}, () => t("customer")),
      h("p", {}, () => t("field.mechanic")),
    ),
  ];
}

const view =
  (title: "nota" | "order", content: (job: Job, lines: Line[]) => Child[]): View =>
  async (main, { id, signal }) => {
    const heading = h("h1", { tabindex: -1 }, () => t(title));
    const head = h(
      "header",
      {},
      h("b", {}, () => t("title")),
      heading,
    );
    const paper = h("article", { class: "paper ghost" }, head);
    main.replaceChildren(
      h(
        "p",
        { class: "crumb" },
        h("a", { href: `#/jobs/${id}` }, icon("left"), () => t("toJob")),
      ),
      h(
        "div",
        { class: "tools" },
        h(
          "button",
          { type: "button", class: "pill primary", "data-key": "print", onclick: () => print() },
          icon("print"),
          () => t("print"),
        ),
      ),
      paper,
    );
    const [job, lines] = await readJob(id, signal);
    paper.classList.remove("ghost");
    head.append(h("p", {}, () => t("numbered", job.id)));
    paper.append(terms(job), ...content(job, lines).flatMap((part) => (part instanceof Node ? [part] : [])));
    return { title: () => `${t(title)} ${job.vehicle.plate}` };
  };

export const notaPaper = view("nota", nota);
export const orderPaper = view("order", order);
