// Finding a customer while typing, and one customer with vehicles and history.
import { get, isAbort } from "./api.js";
import { h, icon, keepFocus, say } from "./dom.js";
import { editDialog } from "./form.js";
import { editJob, plate } from "./job.js";
import { dateTime, day, money, t } from "./language.js";

const PAUSE_MS = 160;
const PAGE = 25;

/** The customers that match, and by id the plate by which one was found: the plate is not in a customer itself. */
export async function findCustomers(text, limit, signal, after) {
  const q = encodeURIComponent(text);
  const list = get(
    `/customers?limit=${limit}${text ? `&q=${q}` : ""}${after ? `&after=${encodeURIComponent(after)}` : ""}`,
    signal,
  );
  const cars = text.length > 1 && !after ? get(`/vehicles?limit=${limit}&q=${q}`, signal) : { items: [] };
  const [{ items, next }, vehicles] = await Promise.all([list, cars]);
  const plates = new Map();
  for (const { customer_id, plate, make, model } of vehicles.items)
    plates.set(customer_id, [...(plates.get(customer_id) ?? []), { plate, car: `${make} ${model}` }]);
  return { items, next, plates };
}

/** A text with the parts that match what was typed in <mark>. */
function marked(text, typed) {
  const at = typed ? text.toLowerCase().indexOf(typed.toLowerCase()) : -1;
  if (at < 0) return [text];
  return [text.slice(0, at), h("mark", {}, text.slice(at, at + typed.length)), text.slice(at + typed.length)];
}

/** What was typed in a search, as the first value of a new customer. */
export function guess(text) {
  if (/^[\d+][\d\s+().-]*$/.test(text)) return `phone=${encodeURIComponent(text)}`;
  if (/^[a-z]{1,2}\s?\d{1,4}(\s?[a-z]{0,3})$/i.test(text)) return `plate=${encodeURIComponent(text)}`;
  return `name=${encodeURIComponent(text)}`;
}

/** The list of customers with its search; query.q is what is searched first. */
export async function customers(main, { query, signal, fail }) {
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

  let asking;
  let timer;
  function row(customer, typed, plates) {
    const hit = plates.get(customer.id) ?? [];
    return h(
      "li",
      {},
      h(
        "a",
        { class: "row", href: `#/customers/${customer.id}`, "data-key": `customer-${customer.id}` },
        h("b", { class: "cut" }, ...marked(customer.name, typed)),
        h("span", { class: "soft phone" }, ...marked(customer.phone, typed)),
        h("span", { class: "plates" }, ...hit.slice(0, 2).map((each) => plate(each.plate))),
        icon("right"),
      ),
    );
  }

  async function search(cursor) {
    clearTimeout(timer);
    asking?.abort();
    const own = new AbortController();
    asking = own;
    const typed = input.value.trim();
    // The address keeps the search, so that going back finds it again.
    history.replaceState(null, "", typed ? `#/customers?q=${encodeURIComponent(typed)}` : "#/customers");
    const { items, next, plates } = await findCustomers(typed, PAGE, AbortSignal.any([signal, own.signal]), cursor);
    const rows = items.map((each) => row(each, typed, plates));
    if (cursor) {
      list.append(...rows);
      rows[0]?.firstChild.focus();
    } else list.replaceChildren(...rows);
    say(state, () => (typed ? t("found", list.children.length, next) : ""));
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
  const report = (error) => isAbort(error) || fail(error);

  input.addEventListener("input", () => {
    clearTimeout(timer);
    asking?.abort();
    timer = setTimeout(() => search().catch(report), PAUSE_MS);
  });
  const step = (event) => {
    const links = [...list.querySelectorAll("a")];
    const at = links.indexOf(document.activeElement);
    if (event.key === "ArrowDown") links[Math.min(at + 1, links.length - 1)]?.focus();
    else if (event.key === "ArrowUp" && at > 0) links[at - 1].focus();
    else if ((event.key === "ArrowUp" && at === 0) || (event.key === "Escape" && at >= 0)) input.focus();
    // Asked again, since the list may be an answer to what was typed before.
    else if (event.key === "Enter" && at < 0)
      search()
        .then(() => list.children.length === 1 && list.querySelector("a").click())
        .catch(report);
    else return;
    event.preventDefault();
  };
  input.addEventListener("keydown", step);
  list.addEventListener("keydown", step);
  signal.addEventListener("abort", () => clearTimeout(timer));
  await search();
  return { focus: input };
}

/** One customer: details, vehicles, history of jobs. */
export async function customer(main, { id, signal, fail }) {
  const details = h("section", { class: "panel" });
  const cars = h("ul", { class: "cars" });
  const carsNone = h("p", { class: "none" });
  const past = h("ul", { class: "rows" });
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
      onclick: () => edit("vehicle", null, undefined, { customer_id: who.id }),
    },
    icon("plus"),
    () => t("addVehicle"),
  );
  let who;

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
  // Shown once they are known: what is there already does not move then.
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
  ];

  async function edit(kind, thing, called, extra) {
    const done = await editDialog(kind, thing, called, extra);
    if (!done || signal.aborted) return;
    if (kind === "customer" && done.deleted) location.hash = "#/customers";
    else await refresh().catch(fail);
  }

  const entry = (key, picture, value) =>
    value &&
    h(
      "div",
      { class: "entry" },
      icon(picture),
      h("span", { class: "unseen" }, () => t(`field.${key}`)),
      value,
    );

  function car(vehicle) {
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
            onclick: () => edit("vehicle", vehicle, () => vehicle.plate),
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

  function job(each) {
    return h(
      "li",
      {},
      h(
        "button",
        { type: "button", class: "row job", "data-key": `job-${each.id}-edit`, onclick: () => change(each) },
        h("span", { class: "soft when" }, () => dateTime(each.scheduled_at)),
        h("b", { class: "cut" }, each.kind),
        plate(each.vehicle.plate),
        h("span", { class: `status is-${each.status}` }, () => t(each.status)),
        h("span", { class: "price" }, () => money(each.price)),
      ),
    );
  }
  const change = async (each) => {
    if ((await editJob(each)) && !signal.aborted) await refresh().catch(fail);
  };

  let newest = 0;
  async function older(cursor) {
    const own = ++newest;
    const page = await get(
      `/customers/${id}/services?sort=-scheduled_at&limit=${PAGE}&after=${encodeURIComponent(cursor)}`,
      signal,
    );
    // Asked twice, or the list is another one by now.
    if (own !== newest) return;
    const rows = page.items.map(job);
    past.append(...rows);
    rows[0]?.firstChild.focus();
    showMore(page.next);
  }
  function showMore(next) {
    after.replaceChildren();
    if (next)
      after.append(
        h("button", { type: "button", class: "pill", onclick: () => older(next).catch(fail) }, () => t("more")),
      );
    else if (past.children.length === 0) after.append(h("p", { class: "none" }, () => t("noHistory")));
  }

  async function refresh() {
    const [person, vehicles, jobs] = await Promise.all([
      get(`/customers/${id}`, signal),
      get(`/customers/${id}/vehicles?limit=100`, signal),
      get(`/customers/${id}/services?sort=-scheduled_at&limit=${PAGE}`, signal),
    ]);
    who = person;
    newest++;
    keepFocus(() => {
      name.textContent = person.name;
      say(since, () => t("customerSince", day(person.created_at)));
      tools.replaceChildren(
        h(
          "button",
          {
            type: "button",
            class: "pill",
            "data-key": "edit-customer",
            onclick: () => edit("customer", who, () => who.name),
          },
          icon("edit"),
          () => t("edit"),
        ),
        h("a", { class: "pill primary", href: `#/new?customer=${id}` }, icon("plus"), () => t("newJob")),
      );
      const entries = [
        entry("phone", "phone", h("a", { href: `tel:${person.phone.replace(/[^\d+]/g, "")}` }, person.phone)),
        entry("email", "mail", person.email && h("a", { href: `mailto:${person.email}` }, person.email)),
        entry("address", "pin", person.address && h("span", {}, person.address)),
      ];
      details.replaceChildren(...entries.filter(Boolean));
      cars.replaceChildren(...vehicles.items.map(car));
      say(carsNone, vehicles.items.length === 0 ? () => t("noVehicles") : null);
      past.replaceChildren(...jobs.items.map(job));
      showMore(jobs.next);
      ghost.replaceWith(...parts);
    });
  }
  await refresh();
  return { title: () => who.name };
}
