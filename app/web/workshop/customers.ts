// The search for a customer, and one customer with vehicles and history.
import { get, isAbort, type Page } from "./api.ts";
import { changesOf } from "./changes.ts";
import { dialledNumber, mailAddress, whatsappLink } from "./contact.ts";
import { type Child, h, icon, keepFocus, setText } from "./dom.ts";
import { editDialog } from "./edit.ts";
import { entry, plate } from "./job.ts";
import { dateTime, day, money, t } from "./language.ts";
import { backTo, keepPlace, keptPlace, rowsToRead } from "./place.ts";
import type { Customer, Job, Kind, Records, Values, Vehicle } from "./records.ts";
import { TYPING_PAUSE_MS } from "./suggest.ts";
import type { View } from "./view.ts";

const PAGE = 25;

type Found = Page<Customer> & { similar?: true; plates: Map<number, string[]> };

/**
 * The customers that match a text. `plates` has the matching plates by customer id, because a customer's record has none.
 */
export async function findCustomers(text: string, limit: number, signal: AbortSignal, after?: string): Promise<Found> {
  const q = encodeURIComponent(text);
  const list = get<Omit<Found, "plates">>(
    `/customers?limit=${limit}${text ? `&q=${q}` : ""}${after ? `&after=${encodeURIComponent(after)}` : ""}`,
    signal,
  );
  const cars =
    text.length > 1 && !after ? get<Page<Vehicle>>(`/vehicles?limit=${limit}&q=${q}`, signal) : { items: [] };
  const [found, vehicles] = await Promise.all([list, cars]);
  const plates = new Map<number, string[]>();
  for (const { customer_id, plate } of vehicles.items)
    plates.set(customer_id, [...(plates.get(customer_id) ?? []), plate]);
  return { ...found, plates };
}

/** A text with the typed words in it in <mark>. */
function marked(text: string, typed: string): Child[] {
  const words = typed.split(/\s+/).filter(Boolean);
  if (words.length === 0) return [text];
  const any = new RegExp(`(${words.map((word) => word.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("|")})`, "i");
  return text.split(any).map((part, i) => (i % 2 === 1 ? h("mark", {}, part) : part));
}

/** A search text as the query that fills the form of a new job: a phone number, a plate or a name. */
export function guess(text: string): string {
  if (/^[\d+][\d\s+().-]*$/.test(text)) return `phone=${encodeURIComponent(text)}`;
  if (/^[a-z]{1,2}\s?\d{1,4}(\s?[a-z]{0,3})$/i.test(text)) return `plate=${encodeURIComponent(text)}`;
  return `name=${encodeURIComponent(text)}`;
}

/** Shows the list of customers with its search; query.q is the first search. */
export const customers: View = async (main, { query, signal, fail }) => {
  const place = keptPlace();
  const input = h("input", {
    type: "search",
    id: "find",
    autocomplete: "off",
    spellcheck: "false",
    maxlength: 100,
    "aria-controls": "found",
    "data-key": "find",
    placeholder: () => t("find"),
  });
  input.value = query.get("q") ?? "";
  const state = h("p", { class: "soft", role: "status", id: "found-count" });
  const list = h(
    "ul",
    { class: "rows", id: "found" },
    ...Array.from({ length: 8 }, () => h("li", { class: "row ghost" })),
  );
  keepPlace(list);
  const after = h("div", { class: "after" });
  main.replaceChildren(
    h(
      "header",
      { class: "head" },
      h("h1", { tabindex: -1 }, () => t("customers")),
    ),
    h(
      "div",
      { class: "finder", role: "search" },
      icon("search"),
      h("label", { class: "unseen", for: "find" }, () => t("find")),
      input,
      h("kbd", { "aria-hidden": "true" }, "/"),
    ),
    h(
      "div",
      { class: "line between" },
      state,
      h("p", { class: "soft hint" }, () => t("findHint")),
    ),
    list,
    after,
  );
  // On a phone the keyboard would cover the list.
  if (!matchMedia("(pointer: coarse)").matches) input.focus();

  let searching: AbortController | undefined;
  let timer: number | undefined;
  function row(customer: Customer, typed: string, plates: Found["plates"]) {
    const hit = plates.get(customer.id) ?? [];
    return h(
      "li",
      {},
      h(
        "a",
        { class: "row", href: `#/customers/${customer.id}`, "data-key": `customer-${customer.id}` },
        h("b", { class: "cut" }, ...marked(customer.name, typed)),
        h("span", { class: "soft phone" }, ...marked(customer.phone, typed)),
        h("span", { class: "plates" }, ...hit.slice(0, 2).map(plate)),
        icon("right"),
      ),
    );
  }

  async function search(cursor?: string, count = PAGE): Promise<void> {
    clearTimeout(timer);
    searching?.abort();
    const own = new AbortController();
    searching = own;
    const typed = input.value.trim();
    // The address keeps the search for the browser's Back.
    history.replaceState(null, "", typed ? `#/customers?q=${encodeURIComponent(typed)}` : "#/customers");
    const { items, next, plates, similar } = await findCustomers(
      typed,
      count,
      AbortSignal.any([signal, own.signal]),
      cursor,
    );
    const rows = items.map((each) => row(each, typed, plates));
    if (cursor) {
      list.append(...rows);
      rows[0]?.querySelector("a")?.focus();
    } else list.replaceChildren(...rows);
    setText(state, () => (typed ? t(similar ? "similar" : "found", list.children.length, next !== null) : ""));
    after.replaceChildren();
    if (next)
      after.append(
        h("button", { type: "button", class: "pill", onclick: () => search(next).catch(report) }, () => t("more")),
      );
    if (list.children.length === 0)
      after.append(
        h(
          "div",
          { class: "invite" },
          h(
            "p",
            {},
            h("b", {}, () => (typed ? t("nobody", typed) : t("nobodyYet"))),
          ),
          h("a", { class: "pill primary", href: typed ? `#/new?${guess(typed)}` : "#/new" }, icon("plus"), () =>
            typed ? t("addAs", typed) : t("addFirst"),
          ),
        ),
      );
  }
  const report = (error: unknown) => {
    if (!isAbort(error)) fail(error);
  };

  input.addEventListener("input", () => {
    clearTimeout(timer);
    searching?.abort();
    timer = window.setTimeout(() => search().catch(report), TYPING_PAUSE_MS);
  });
  const step = (event: KeyboardEvent) => {
    const links = [...list.querySelectorAll("a")];
    const at = links.indexOf(document.activeElement as HTMLAnchorElement);
    if (event.key === "ArrowDown") links[Math.min(at + 1, links.length - 1)]?.focus();
    else if (event.key === "ArrowUp" && at > 0) links[at - 1]?.focus();
    else if ((event.key === "ArrowUp" && at === 0) || (event.key === "Escape" && at >= 0)) input.focus();
    // Searches again, because the list may still show the result for an earlier text.
    else if (event.key === "Enter" && at < 0)
      search()
        .then(() => list.children.length === 1 && list.querySelector("a")?.click())
        .catch(report);
    else return;
    event.preventDefault();
  };
  input.addEventListener("keydown", step);
  list.addEventListener("keydown", step);
  signal.addEventListener("abort", () => clearTimeout(timer));
  await search(undefined, rowsToRead(PAGE, place.rows));
  backTo(list, place);
  return { focus: input };
};

/** Shows one customer: details, vehicles, history of jobs. */
export const customer: View = async (main, { id, signal, fail }) => {
  const place = keptPlace();
  const details = h("section", { class: "panel" });
  const cars = h("ul", { class: "cars" });
  const carsNone = h("p", { class: "none" });
  const past = h("ul", { class: "rows" });
  keepPlace(past);
  const authors = h("div", { class: "authors" });
  const after = h("div", { class: "after" });
  const name = h("h1", { tabindex: -1 }, "…");
  const since = h("p", { class: "soft" });
  const tools = h("div", { class: "tools" });
  const add = h(
    "button",
    {
      type: "button",
      class: "pill",
      "data-key": "add-vehicle",
      onclick: () => edit("vehicle", null, undefined, { customer_id: Number(id) }),
    },
    icon("plus"),
    () => t("addVehicle"),
  );
  const ghost = h("div", { class: "panel ghost" });
  main.replaceChildren(
    h(
      "p",
      { class: "crumb" },
      h("a", { href: "#/customers" }, icon("left"), () => t("customers")),
    ),
    h("header", { class: "head" }, h("div", {}, name, since), tools),
    ghost,
  );
  // Shown together after the first load, so that no visible part moves.
  const parts = [
    details,
    h(
      "section",
      { class: "panel" },
      h(
        "header",
        { class: "head" },
        h("h2", {}, () => t("vehicles")),
        add,
      ),
      carsNone,
      cars,
    ),
    h(
      "section",
      { class: "panel" },
      h("h2", {}, () => t("history")),
      past,
      after,
    ),
    authors,
  ];

  async function edit<K extends Kind>(
    kind: K,
    record: Records[K] | null,
    name?: (record: Records[K]) => string,
    extra?: Values,
  ) {
    const done = await editDialog(kind, record, { signal, ...(name && { name }), ...(extra && { extra }) });
    if (!done || signal.aborted) return;
    if (kind === "customer" && "deleted" in done) location.hash = "#/customers";
    else await refresh().catch(fail);
  }

  function car(vehicle: Vehicle) {
    return h(
      "li",
      { class: "car" },
      h(
        "div",
        { class: "about" },
        plate(vehicle.plate),
        h("b", {}, `${vehicle.make} ${vehicle.model}`),
        h("span", { class: "soft" }, String(vehicle.year)),
        vehicle.vin && h("small", { class: "soft vin" }, vehicle.vin),
      ),
      h(
        "div",
        { class: "tools" },
        h(
          "button",
          {
            type: "button",
            class: "round",
            "data-key": `vehicle-${vehicle.id}`,
            "aria-label": () => t("editOf", vehicle.plate),
            onclick: () => edit("vehicle", vehicle, (each) => each.plate),
          },
          icon("edit"),
        ),
        h(
          "a",
          { class: "pill", href: `#/new?vehicle=${vehicle.id}`, "aria-label": () => t("newJobFor", vehicle.plate) },
          icon("plus"),
          () => t("newShort"),
        ),
      ),
    );
  }

  function job(each: Job) {
    return h(
      "li",
      {},
      h(
        "a",
        { class: "row job", href: `#/jobs/${each.id}`, "data-key": `job-${each.id}-page` },
        h("span", { class: "soft when" }, () => dateTime(each.scheduled_at)),
        h("b", { class: "cut" }, each.kind),
        plate(each.vehicle.plate),
        h("span", { class: `status is-${each.status}` }, () => t(each.status)),
        h("span", { class: "price" }, () => money(each.price)),
      ),
    );
  }

  let newest = 0;
  async function older(cursor: string) {
    const own = ++newest;
    const page = await get<Page<Job>>(
      `/customers/${id}/services?sort=-scheduled_at&limit=${PAGE}&after=${encodeURIComponent(cursor)}`,
      signal,
    );
    // A newer request or a refresh has replaced the list.
    if (own !== newest) return;
    const rows = page.items.map(job);
    past.append(...rows);
    rows[0]?.querySelector("a")?.focus();
    showMore(page.next);
  }
  function showMore(next: string | null) {
    after.replaceChildren();
    if (next)
      after.append(
        h("button", { type: "button", class: "pill", onclick: () => older(next).catch(fail) }, () => t("more")),
      );
    else if (past.children.length === 0) after.append(h("p", { class: "none" }, () => t("noHistory")));
  }

  async function refresh(): Promise<Customer> {
    const rows = rowsToRead(PAGE, place.rows, past.children.length);
    const [person, vehicles, jobs, changes] = await Promise.all([
      get<Customer>(`/customers/${id}`, signal),
      get<Page<Vehicle>>(`/customers/${id}/vehicles?limit=100`, signal),
      get<Page<Job>>(`/customers/${id}/services?sort=-scheduled_at&limit=${rows}`, signal),
      changesOf(`/customers/${id}`, signal),
    ]);
    newest++;
    keepFocus(() => {
      name.textContent = person.name;
      setText(since, () => t("customerSince", day(person.created_at)));
      tools.replaceChildren(
        h(
          "button",
          {
            type: "button",
            class: "pill",
            "data-key": "edit-customer",
            onclick: () => edit("customer", person, (each) => each.name),
          },
          icon("edit"),
          () => t("edit"),
        ),
        h("a", { class: "pill primary", href: `#/new?customer=${id}` }, icon("plus"), () => t("newJob")),
      );
      const entries = [
        entry("phone", "phone", h("a", { href: `tel:${dialledNumber(person.phone)}` }, person.phone)),
        whatsappLink(person.phone, () => t("greeting", person.name)),
        person.email && entry("email", "mail", h("a", { href: mailAddress(person.email) }, person.email)),
        person.address && entry("address", "pin", h("span", {}, person.address)),
      ];
      details.replaceChildren(...entries.flatMap((each) => each || []));
      const { items, next } = vehicles;
      cars.replaceChildren(...items.map(car));
      setText(carsNone, items.length === 0 ? () => t("noVehicles") : next && (() => t("onlyFirst", items.length)));
      past.replaceChildren(...jobs.items.map(job));
      showMore(jobs.next);
      authors.replaceChildren(...(changes ? [changes] : []));
      ghost.replaceWith(...parts);
    });
    return person;
  }
  await refresh();
  backTo(past, place);
  return { title: () => name.textContent };
};
