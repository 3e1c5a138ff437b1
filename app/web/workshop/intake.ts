// Customer, vehicle and job in one form. Its draft is stored with each change: a reload or a lost network loses nothing.
import { get, isAbort, newKey, type Page, Refused, send } from "./api.ts";
import { announce } from "./board.ts";
import { findCustomers } from "./customers.ts";
import { dayHash, dayOf, OPENING_HOUR } from "./days.ts";
import { type Child, h, icon, setText } from "./dom.ts";
import { showErrors } from "./errors.ts";
import { group } from "./fields.ts";
import { plate } from "./job.ts";
import { t } from "./language.ts";
import { toast } from "./notice.ts";
import type { Customer, Intake, Kind, Vehicle } from "./records.ts";
import { keyFor } from "./save.ts";
import { suggest } from "./suggest.ts";
import type { View } from "./view.ts";

const DRAFT = "workshop.draft";
const QUARTER_MS = 15 * 60_000;

type PickedCustomer = Pick<Customer, "id" | "name" | "phone">;
type Draft = {
  customer?: PickedCustomer | null;
  vehicle?: Vehicle | null;
  texts?: Partial<Record<Kind, Record<string, string>>>;
  now?: boolean;
  key?: string;
};

function readDraft(): Draft {
  try {
    return JSON.parse(sessionStorage.getItem(DRAFT) ?? "{}");
  } catch {
    return {};
  }
}

function writeDraft(draft: Draft | null): void {
  try {
    if (draft) sessionStorage.setItem(DRAFT, JSON.stringify(draft));
    else sessionStorage.removeItem(DRAFT);
  } catch {
    // Without storage the draft is lost with the page.
  }
}

/**
 * Shows the form for a new job. The query can have customer or vehicle (ids to pick), name, phone or plate (texts), and date;
 * it has precedence over the draft.
 */
export const intake: View = async (main, { query, signal }) => {
  const draft = readDraft();
  const person = group("customer");
  const car = group("vehicle");
  const job = group("service", ["status", "paid_at", "remind_at"]);
  const now = h("input", { type: "checkbox", name: "start-now" });
  const otherPerson = ["customer", "vehicle", "name", "phone"].some((each) => query.has(each));
  const otherCar = query.has("plate") || (otherPerson && draft.vehicle);
  let picked: PickedCustomer | null = (!otherPerson && draft.customer) || null;
  let chosen: Vehicle | null = (!otherCar && draft.vehicle) || null;
  const key = draft.key ?? newKey();

  const date = dayOf(query.get("date") ?? "");
  const begin = date
    ? new Date(date.setHours(OPENING_HOUR))
    : new Date(Math.ceil(Date.now() / QUARTER_MS) * QUARTER_MS);
  if (!otherPerson) person.retype(draft.texts?.customer ?? {});
  if (!otherCar) car.retype(draft.texts?.vehicle ?? {});
  job.retype(draft.texts?.service ?? {});
  if (date || !draft.texts) job.write({ scheduled_at: begin.toISOString() });
  now.checked = draft.now ?? false;
  for (const name of ["name", "phone"] as const) if (query.get(name)) person.write({ [name]: query.get(name) });
  if (query.get("plate")) car.write({ plate: query.get("plate") });

  const fault = h("p", { class: "fault", role: "alert" });
  const save = h(
    "button",
    { type: "submit", class: "pill primary" },
    () => t("save"),
    h("kbd", { "aria-hidden": "true" }, "Ctrl ↵"),
  );
  const step = (n: number, name: "customer" | "vehicle" | "service", ...content: Child[]) =>
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
    fault,
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
    // The browser may report a change of a field while it removes the form.
    if (signal.aborted) return;
    writeDraft({
      customer: picked,
      vehicle: chosen,
      texts: { customer: person.typed(), vehicle: car.typed(), service: job.typed() },
      now: now.checked,
      key,
    });
    // The draft has the query's values now; a reload must not apply them again.
    if (location.hash.startsWith("#/new?")) history.replaceState(null, "", "#/new");
  };

  function pick(customer: PickedCustomer | null) {
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

  function choose(vehicle: Vehicle | null) {
    chosen = vehicle;
    car.node.hidden = Boolean(vehicle);
    taken.replaceChildren();
    keep();
  }

  /** Clears the choice of a customer and a vehicle. */
  function forget() {
    choose(null);
    pick(null);
    offer([]);
    person.named.get("name")?.input.focus();
  }

  /** Shows the vehicles of the picked customer to choose from. */
  function offer(vehicles: Vehicle[]) {
    which.hidden = vehicles.length === 0;
    const option = (vehicle: Vehicle | null, ...content: Child[]) => {
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

  async function take(customer: PickedCustomer, vehicle?: Vehicle | null): Promise<void> {
    offer([]);
    pick(customer);
    choose(vehicle ?? null);
    const vehicles = get<Page<Vehicle>>(`/customers/${customer.id}/vehicles?limit=100`, signal);
    const { items } = await vehicles.catch((error) => {
      if (error instanceof Refused && error.status === 404 && picked === customer) forget();
      throw error;
    });
    if (picked !== customer) return;
    // A customer's only vehicle is chosen, unless the form for a new one has a text.
    if (!chosen && items.length === 1 && !Object.values(car.typed()).some(Boolean)) chosen = items[0] ?? null;
    offer(items);
    choose(chosen);
    const first = chosen
      ? job.named.get("kind")?.input
      : which.hidden
        ? car.named.get("plate")?.input
        : which.querySelector("input");
    first?.focus();
  }
  const reportFailure = (work: Promise<void>) =>
    work.catch((error) => {
      const gone = error instanceof Refused && error.status === 404;
      if (!isAbort(error)) toast(() => t(gone ? "gone" : "failed"));
    });

  const byName = async (text: string, end: AbortSignal) => (await findCustomers(text, 6, end)).items;
  for (const name of ["name", "phone"]) {
    const field = person.named.get(name);
    if (field)
      suggest(
        field.input,
        byName,
        (each) => [each.name, each.phone],
        (each) => reportFailure(take(each)),
      );
  }
  const byPlate = async (text: string, end: AbortSignal) =>
    (await get<Page<Vehicle>>(`/vehicles?limit=6&q=${encodeURIComponent(text)}`, end)).items;
  const carLine = (each: Vehicle) => [each.plate, `${each.make} ${each.model} · ${each.customer.name}`] as const;
  const takeCar = (each: Vehicle) => reportFailure(take({ ...each.customer }, each));
  const plateField = car.named.get("plate");
  if (plateField) suggest(plateField.input, byPlate, carLine, takeCar);
  plateField?.input.addEventListener("input", () => taken.replaceChildren());

  function clear() {
    keep();
    const before = readDraft();
    for (const each of [person, car, job])
      each.retype(Object.fromEntries(Object.keys(each.typed()).map((name) => [name, ""])));
    job.write({ scheduled_at: begin.toISOString() });
    now.checked = false;
    forget();
    writeDraft(null);
    setText(fault, null);
    toast(() => t("cleared"), {
      word: () => t("undo"),
      run: () => {
        writeDraft(before);
        dispatchEvent(new HashChangeEvent("hashchange"));
      },
    });
  }

  /** After a refusal of a plate that exists: offers its vehicle, because most often it is the same one. */
  async function offerTaken(typed: string): Promise<void> {
    const squeeze = (text: string) => text.replace(/[^a-z0-9]/gi, "").toUpperCase();
    const { items } = await get<Page<Vehicle>>(`/vehicles?limit=5&q=${squeeze(typed)}`, signal);
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
    setText(fault, null);
    setText(save, () => t("saving"));
    const vehicle = car.read();
    const body = {
      customer: picked ? { id: picked.id } : person.read(),
      vehicle: chosen ? { id: chosen.id } : vehicle,
      service: { ...job.read(), status: now.checked ? "in_progress" : "scheduled" },
    };
    keep();
    try {
      const created = await send<Intake>("POST", "/intake", { body, key: keyFor(key, body), signal });
      writeDraft(null);
      announce(created.service);
      toast(() => t("created", created.vehicle.plate));
      location.hash = dayHash(new Date(created.service.scheduled_at));
    } catch (error) {
      if (isAbort(error)) return;
      if (!(error instanceof Refused)) throw error;
      setText(fault, showErrors({ customer: person, vehicle: car, service: job }, error));
      if (error.problem.errors?.some(({ pointer, code }) => pointer === "/vehicle/plate" && code === "taken"))
        reportFailure(offerTaken(String(vehicle.plate)));
    } finally {
      form.ariaBusy = "false";
      save.replaceChildren();
      setText(save, () => t("save"));
      save.append(h("kbd", { "aria-hidden": "true" }, "Ctrl ↵"));
    }
  });

  const vehicleId = query.get("vehicle");
  const customerId = query.get("customer");
  if (vehicleId) {
    const vehicle = await get<Vehicle>(`/vehicles/${encodeURIComponent(vehicleId)}`, signal);
    await take(vehicle.customer, vehicle);
  } else if (customerId) {
    await take(await get<Customer>(`/customers/${encodeURIComponent(customerId)}`, signal));
  } else if (picked) await reportFailure(take(picked, chosen));
  else person.named.get(person.named.get("name")?.get() ? "phone" : "name")?.input.focus();
  return {};
};
