// Customer, vehicle and job in one flow, kept while it is typed: a reload or a lost network loses nothing.
import { ask, get, isAbort, newKey, Refused } from "./api.js";
import { announce, dayHash } from "./board.js";
import { findCustomers } from "./customers.js";
import { h, icon, say } from "./dom.js";
import { group, keyFor, showFaults, suggest } from "./form.js";
import { plate } from "./job.js";
import { t } from "./language.js";
import { toast } from "./notice.js";

const DRAFT = "workshop.draft";
const QUARTER_MS = 15 * 60_000;

function readDraft() {
  try {
    return JSON.parse(sessionStorage.getItem(DRAFT)) ?? {};
  } catch {
    return {};
  }
}

function writeDraft(draft) {
  try {
    if (draft) sessionStorage.setItem(DRAFT, JSON.stringify(draft));
    else sessionStorage.removeItem(DRAFT);
  } catch {
    // Without storage the draft lives as long as the page.
  }
}

/**
 * The form for a new job. query: customer or vehicle (ids that are picked), name, phone or plate (typed), date. It goes
 * before the draft, of which the rest is kept.
 */
export async function intake(main, { query, signal }) {
  const draft = readDraft();
  const person = group("customer");
  const car = group("vehicle");
  const job = group("service", ["status"]);
  const now = h("input", { type: "checkbox", name: "start-now" });
  const otherPerson = ["customer", "vehicle", "name", "phone"].some((each) => query.has(each));
  const otherCar = query.has("plate") || (otherPerson && draft.vehicle);
  let picked = (!otherPerson && draft.customer) || null;
  let chosen = (!otherCar && draft.vehicle) || null;
  const key = draft.key ?? newKey();

  const begin = query.get("date")
    ? new Date(`${query.get("date")}T09:00`)
    : new Date(Math.ceil(Date.now() / QUARTER_MS) * QUARTER_MS);
  if (!otherPerson) person.retype(draft.texts?.customer ?? {});
  if (!otherCar) car.retype(draft.texts?.vehicle ?? {});
  job.retype(draft.texts?.service ?? {});
  if (query.has("date") || !draft.texts) job.write({ scheduled_at: begin.toISOString() });
  now.checked = draft.now ?? false;
  for (const name of ["name", "phone"]) if (query.get(name)) person.write({ [name]: query.get(name) });
  if (query.get("plate")) car.write({ plate: query.get("plate") });

  const word = h("p", { class: "fault", role: "alert" });
  const save = h(
    "button",
    { type: "submit", class: "pill primary" },
    () => t("save"),
    h("kbd", { "aria-hidden": "true" }, "Ctrl ↵"),
  );
  const step = (n, name, ...content) =>
    h(
      "section",
      { class: "panel step" },
      h("h2", { id: `step-${n}` }, h("span", { class: "number", "aria-hidden": "true" }, n), () => t(name)),
      ...content,
    );
  const who = h("div", { class: "picked", hidden: true });
  const which = h("fieldset", { class: "which", hidden: true });
  const taken = h("div", { class: "taken" });
  const form = h(
    "form",
    { novalidate: true, class: "intake" },
    word,
    step(1, "customer", who, person.node),
    step(2, "vehicle", which, taken, car.node),
    step(
      3,
      "service",
      job.node,
      h(
        "label",
        { class: "check" },
        now,
        h("span", {}, () => t("startNow")),
      ),
    ),
    h(
      "footer",
      {},
      h("button", { type: "button", class: "pill", onclick: clear }, () => t("clear")),
      save,
    ),
  );
  const heading = h("h1", { tabindex: -1 }, () => t("newJob"));
  main.replaceChildren(
    h(
      "header",
      { class: "head" },
      h(
        "div",
        {},
        heading,
        h("p", { class: "soft" }, () => t("intakeHint")),
      ),
    ),
    form,
  );

  const keep = () => {
    // The browser may tell of a change in a field that it takes away with the form.
    if (signal.aborted) return;
    writeDraft({
      customer: picked,
      vehicle: chosen,
      texts: { customer: person.typed(), vehicle: car.typed(), service: job.typed() },
      now: now.checked,
      key,
    });
    // What the address asked for is in the draft now; a reload must not ask for it again.
    if (location.hash.startsWith("#/new?")) history.replaceState(null, "", "#/new");
  };

  function pick(customer) {
    picked = customer;
    who.hidden = !customer;
    person.node.hidden = Boolean(customer);
    who.replaceChildren();
    if (customer)
      who.append(
        icon("user"),
        h("p", {}, h("b", {}, customer.name), h("span", { class: "soft" }, customer.phone)),
        h(
          "button",
          {
            type: "button",
            class: "pill",
            onclick: forget,
          },
          () => t("change"),
        ),
      );
    keep();
  }

  function choose(vehicle) {
    chosen = vehicle;
    car.node.hidden = Boolean(vehicle);
    taken.replaceChildren();
    keep();
  }

  /** Nobody is picked any more. */
  function forget() {
    choose(null);
    pick(null);
    offer([]);
    person.named.get("name").input.focus();
  }

  /** The vehicles of the picked customer, to choose from. */
  function offer(vehicles) {
    which.hidden = vehicles.length === 0;
    const option = (vehicle, ...content) => {
      const radio = h("input", { type: "radio", name: "which", onchange: () => choose(vehicle) });
      radio.checked = vehicle?.id === chosen?.id;
      return h("label", { class: "choice" }, radio, ...content);
    };
    which.replaceChildren(
      h("legend", {}, () => t("whichVehicle")),
      ...vehicles.map((each) => option(each, plate(each.plate), h("span", {}, `${each.make} ${each.model}`))),
      option(
        null,
        h("span", {}, () => t("anotherVehicle")),
      ),
    );
  }

  async function take(customer, vehicle) {
    offer([]);
    pick(customer);
    choose(vehicle ?? null);
    const { items } = await get(`/customers/${customer.id}/vehicles?limit=100`, signal).catch((error) => {
      if (error.status === 404 && picked === customer) forget();
      throw error;
    });
    if (picked !== customer) return;
    // The likeliest: the only one, if nothing of a new one is typed.
    if (!chosen && items.length === 1 && !Object.values(car.typed()).some(Boolean)) chosen = items[0];
    offer(items);
    choose(chosen);
    const first = chosen
      ? job.named.get("kind").input
      : which.hidden
        ? car.named.get("plate").input
        : which.querySelector("input");
    first.focus();
  }
  const wait = (work) =>
    work.catch((error) => isAbort(error) || toast(() => (error.status === 404 ? t("gone") : t("failed"))));

  const byName = async (text, asked) => (await findCustomers(text, 6, asked)).items;
  for (const name of ["name", "phone"])
    suggest(
      person.named.get(name).input,
      byName,
      (each) => [each.name, each.phone],
      (each) => wait(take(each)),
    );
  const byPlate = async (text, asked) => (await get(`/vehicles?limit=6&q=${encodeURIComponent(text)}`, asked)).items;
  const carLine = (each) => [each.plate, `${each.make} ${each.model} · ${each.customer.name}`];
  const takeCar = (each) => wait(take({ ...each.customer }, each));
  suggest(car.named.get("plate").input, byPlate, carLine, takeCar);

  function clear() {
    keep();
    const before = readDraft();
    for (const each of [person, car, job])
      each.retype(Object.fromEntries(Object.keys(each.typed()).map((name) => [name, ""])));
    job.write({ scheduled_at: begin.toISOString() });
    now.checked = false;
    forget();
    writeDraft(null);
    say(word, null);
    toast(() => t("cleared"), {
      word: () => t("undo"),
      run: () => {
        writeDraft(before);
        dispatchEvent(new HashChangeEvent("hashchange"));
      },
    });
  }

  /** A plate that is taken: most often it is this very car, so it is offered. */
  async function offerTaken(typed) {
    const { items } = await get(`/vehicles?limit=5&q=${encodeURIComponent(typed)}`, signal);
    const squeeze = (text) => text.replace(/\s/g, "").toUpperCase();
    const found = items.find((each) => squeeze(each.plate) === squeeze(typed));
    if (found && !chosen && car.read().plate === typed)
      taken.replaceChildren(
        h("button", { type: "button", class: "pill", onclick: () => takeCar(found) }, icon("car"), () =>
          t("useTaken", found.plate, found.customer.name),
        ),
      );
  }

  form.addEventListener("input", keep);
  form.addEventListener("change", keep);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.ariaBusy === "true") return;
    form.ariaBusy = "true";
    say(word, null);
    say(save, () => t("saving"));
    const body = {
      customer: picked ? { id: picked.id } : person.read(),
      vehicle: chosen ? { id: chosen.id } : car.read(),
      service: { ...job.read(), status: now.checked ? "in_progress" : "scheduled" },
    };
    keep();
    try {
      const { data } = await ask("POST", "/intake", { body, key: keyFor(key, body), signal });
      writeDraft(null);
      announce(data.service);
      toast(() => t("created", data.vehicle.plate));
      location.hash = dayHash(new Date(data.service.scheduled_at));
    } catch (error) {
      if (isAbort(error)) return;
      if (!(error instanceof Refused)) throw error;
      say(word, showFaults({ customer: person, vehicle: car, service: job }, error));
      if (error.problem.errors?.some(({ pointer, code }) => pointer === "/vehicle/plate" && code === "taken"))
        wait(offerTaken(body.vehicle.plate));
    } finally {
      form.ariaBusy = "false";
      save.replaceChildren();
      say(save, () => t("save"));
      save.append(h("kbd", { "aria-hidden": "true" }, "Ctrl ↵"));
    }
  });

  const id = query.get("vehicle") ?? query.get("customer");
  if (query.get("vehicle")) {
    const vehicle = await get(`/vehicles/${encodeURIComponent(id)}`, signal);
    await take(vehicle.customer, vehicle);
  } else if (query.get("customer")) {
    await take(await get(`/customers/${encodeURIComponent(id)}`, signal));
  } else if (picked) await wait(take(picked, chosen));
  else (person.named.get("name").get() ? person.named.get("phone") : person.named.get("name")).input.focus();
  return { focused: true };
}
