// The forms' fields, the errors that the API reports for them, and the edit dialogs.
import { get, isAbort, newKey, Refused, send } from "./api.ts";
import { type Attributes, focusKey, h, icon, setText, type Text } from "./dom.ts";
import { dateTime, money, parseMoney, plainNumber, t, textFor } from "./language.ts";
import { toast } from "./notice.ts";
import type { Kind, Records, Status, Values } from "./records.ts";
import type { Words } from "./words.ts";

export const STATUSES: readonly Status[] = ["scheduled", "in_progress", "done", "cancelled"];

type NameIn<Key> = Key extends `field.${infer Name}` ? Name : never;
export type FieldName = NameIn<keyof Words>;
type Input = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;

type FieldSpec = {
  name: FieldName;
  /** The API's limit, in characters. */
  max?: number;
  needed?: boolean;
  type?: "tel" | "email" | "area" | "number" | "when" | "money" | "choice";
  /** Shows the hint of this name as a placeholder. */
  hint?: boolean;
  class?: string;
};

/** The fields of each kind of record. An empty optional field is sent as null. */
const FIELDS: Record<Kind, FieldSpec[]> = {
  customer: [
    { name: "name", max: 200, needed: true },
    { name: "phone", max: 32, needed: true, type: "tel" },
    { name: "email", max: 254, type: "email" },
    { name: "address", max: 500, type: "area" },
  ],
  vehicle: [
    { name: "plate", max: 15, needed: true, class: "plated" },
    { name: "make", max: 60, needed: true },
    { name: "model", max: 60, needed: true },
    { name: "year", max: 4, needed: true, type: "number" },
    { name: "vin", max: 17, class: "upper" },
  ],
  service: [
    { name: "kind", max: 80, needed: true, hint: true },
    { name: "scheduled_at", needed: true, type: "when" },
    { name: "price", needed: true, type: "money" },
    { name: "status", needed: true, type: "choice" },
    { name: "description", max: 2000, type: "area" },
    { name: "notes", max: 4000, type: "area" },
  ],
};

/** A request waits this long for the next key. */
export const TYPING_PAUSE_MS = 160;

let count = 0;

const pad = (n: number) => String(n).padStart(2, "0");
const localTime = (at: Date) =>
  `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}T${pad(at.getHours())}:${pad(at.getMinutes())}`;

/** Between an input's text and the API's value: `out` reads the input, `in` fills it, `show` is for display. */
type Conversion = { out?: (text: string) => unknown; in?: (value: string) => string; show?: (value: string) => string };
const CONVERT: Partial<Record<NonNullable<FieldSpec["type"]>, Conversion>> = {
  money: {
    out: parseMoney,
    in: (value) => (/^\d+(\.\d+)?$/.test(value) ? plainNumber(value) : value),
    show: money,
  },
  when: {
    out: (text) => (Number.isNaN(Date.parse(text)) ? text : new Date(text).toISOString()),
    in: (value) => localTime(new Date(value)),
    show: dateTime,
  },
  number: { out: (text) => (/^\d+$/.test(text) ? Number(text) : text) },
  choice: { show: (value) => t(value as Status) },
};

export type Field = {
  name: FieldName;
  needed: boolean;
  max: number | undefined;
  node: HTMLElement;
  input: Input;
  /** Shows an error at the field; null removes it. */
  setError: (text: Text | null) => void;
  /** A value of the API as text. */
  show: (value: unknown) => string;
  /** The value for the API; null for an empty field. */
  get: () => unknown;
  set: (value: unknown) => void;
};

function field(kind: Kind, { name, max, needed = false, type, hint, class: style }: FieldSpec): Field {
  const id = `f${++count}`;
  const { out = (text) => text, in: into = String, show = String }: Conversion = (type && CONVERT[type]) ?? {};
  const common: Attributes = { id, name: `${kind}-${name}`, "aria-describedby": `${id}-error`, autocomplete: "off" };
  if (needed) common["aria-required"] = "true";
  if (max) common.maxlength = max;
  if (style) common.class = style;
  if (hint) common.placeholder = () => textFor(`hint.${name}`);
  const inputs: Record<NonNullable<FieldSpec["type"]>, () => Input> = {
    area: () => h("textarea", { ...common, rows: 2 }),
    choice: () => h("select", common, ...STATUSES.map((each) => h("option", { value: each }, () => t(each)))),
    when: () => h("input", { ...common, type: "datetime-local" }),
    money: () => h("input", { ...common, inputmode: "decimal" }),
    number: () => h("input", { ...common, inputmode: "numeric" }),
    tel: () => h("input", { ...common, type: "tel" }),
    // Not type=email: the browser would rewrite the typed text, and the API alone validates it.
    email: () => h("input", { ...common, inputmode: "email", autocapitalize: "none", spellcheck: "false" }),
  };
  const input = type ? inputs[type]() : h("input", common);
  const error = h("p", { class: "error", id: `${id}-error` });
  const label = h("label", { for: id }, () => t(`field.${name}`));
  if (!needed) label.append(h("small", {}, () => t("optional")));
  const control =
    type === "money" ? h("div", { class: "money" }, h("span", { "aria-hidden": "true" }, "Rp"), input) : input;
  const node = h("div", { class: `field field-${name}` }, label, control, error);
  const setError = (text: Text | null) => {
    input.setAttribute("aria-invalid", String(Boolean(text)));
    setText(error, text);
  };
  // A number that was typed without separators gets them when the field is left.
  if (type === "money")
    input.addEventListener("change", () => {
      input.value = into(parseMoney(input.value));
    });
  input.addEventListener("input", () => setError(null));
  return {
    name,
    needed,
    max,
    node,
    input,
    setError,
    show: (value) => (value === null || value === "" ? t("empty") : show(String(value))),
    get: () => (input.value.trim() === "" ? null : out(input.value.trim())),
    set: (value) => {
      input.value = value === null || value === undefined ? "" : into(String(value));
    },
  };
}

export type Group = {
  kind: Kind;
  named: Map<string, Field>;
  node: HTMLElement;
  /** The values for the API, without empty required fields: the API reports those. */
  read: () => Values;
  write: (values: Values) => void;
  /** The inputs' texts by field name, and their way back. */
  typed: () => Record<string, string>;
  retype: (texts: Record<string, string>) => void;
};

/** Creates the fields of a kind of record. */
export function group(kind: Kind, without: FieldName[] = []): Group {
  const fields = FIELDS[kind].filter(({ name }) => !without.includes(name)).map((each) => field(kind, each));
  const named = new Map<string, Field>(fields.map((each) => [each.name, each]));
  return {
    kind,
    named,
    node: h("div", { class: `fields fields-${kind}` }, ...fields.map(({ node }) => node)),
    read: () => {
      const values = fields.map(({ name, get, needed }) => [name, get() ?? (needed ? undefined : null)]);
      return Object.fromEntries(values.filter(([, value]) => value !== undefined));
    },
    write: (values) => {
      for (const { name, set } of fields) if (name in values) set(values[name]);
    },
    typed: () => Object.fromEntries(fields.map(({ name, input }) => [name, input.value])),
    retype: (texts) => {
      for (const { name, input } of fields) {
        const text = texts[name];
        if (text !== undefined) input.value = text;
      }
    },
  };
}

type FieldError = NonNullable<Refused["problem"]["errors"]>[number];

/** The text of a field's error, by the API's code; the API's own detail for a code without a text. */
function errorText(field: Field, { code, detail }: FieldError): () => string {
  const known = field.get() === null && field.needed ? "required" : code;
  // For a phone or a VIN that is too short, the text about its format is the most helpful one.
  const keys = [`${known}.${field.name}`, ...(known === "too_short" ? [`format.${field.name}`] : []), known];
  return () => keys.map((each) => textFor(`error.${each}`, field.max)).find(Boolean) ?? detail;
}

/**
 * Shows the errors of a refused form at its fields and focuses the first one. `groups` has the fields by the first part of
 * an error's pointer ("" for a pointer of one part). Returns the text for the top of the form.
 */
export function showErrors(groups: Record<string, Group>, { problem, status, requestId }: Refused): () => string {
  const unplaced: string[] = [];
  const marked: Input[] = [];
  for (const each of problem.errors ?? []) {
    const path = String(each.pointer ?? "")
      .split("/")
      .slice(1);
    const [prefix = "", name = ""] = path.length > 1 ? path : ["", path[0]];
    const at = groups[prefix]?.named.get(name);
    if (at && marked.includes(at.input)) continue;
    if (at) {
      at.setError(errorText(at, each));
      marked.push(at.input);
    } else unplaced.push(textFor(`error.${each.code}`) ?? each.detail);
  }
  marked.sort((a, b) => (a.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1));
  marked[0]?.focus();
  if (marked.length > 0) return () => [t("fixFields", marked.length), ...unplaced].join(" ");
  return () =>
    [
      t("notSaved"),
      ...(unplaced.length > 0 ? unplaced : [problem.detail ?? t("failedDetail", status, requestId)]),
    ].join(" ");
}

/** The text about records that refer to one that could not be deleted. */
function referencedText({ references }: Refused["problem"]): string | undefined {
  const parts = Object.entries(references ?? {}).map(([name, n]) => textFor(`count_${name}`, n) ?? `${n} ${name}`);
  return parts.length > 0 ? t("referenced", parts.join(t("and"))) : undefined;
}

/**
 * Shows a modal dialog. Resolves with the argument of close(), or undefined after Escape; the focus returns to the element
 * that had it. `leave` closes only after mayClose() has agreed.
 */
export function modal<Result>(
  title: () => string,
  build: (close: (value?: Result) => void, leave: () => Promise<void>) => Node[],
  mayClose: () => Promise<boolean> = async () => true,
): Promise<Result | undefined> {
  return new Promise((resolve) => {
    const opener = document.activeElement instanceof HTMLElement ? document.activeElement : null;
    const id = `d${++count}`;
    let result: Result | undefined;
    const dialog = h("dialog", { "aria-labelledby": id });
    const close = (value?: Result) => {
      result = value;
      dialog.close();
    };
    const leave = async () => {
      if (await mayClose()) close();
    };
    dialog.append(
      h(
        "header",
        {},
        h("h2", { id }, title),
        h("button", { type: "button", class: "round", "aria-label": () => t("close"), onclick: leave }, icon("x")),
      ),
      ...build(close, leave),
    );
    dialog.addEventListener("cancel", (event) => {
      if (event.target !== dialog) return;
      event.preventDefault();
      leave();
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (opener?.isConnected) opener.focus();
      else if (!focusKey(opener?.dataset.key ?? "")) document.querySelector("h1")?.focus();
      resolve(result);
    });
    document.body.append(dialog);
    dialog.showModal();
    const first =
      dialog.querySelector<HTMLElement>("[autofocus]") ?? dialog.querySelector<Input>("input, textarea, select");
    first?.focus();
  });
}

/** Asks for confirmation. Resolves with the choice, or undefined after Escape. */
function confirmed(
  title: () => string,
  hint: Text,
  yes: () => string,
  no: () => string = () => t("cancel"),
): Promise<boolean | undefined> {
  return modal<boolean>(title, (close) => [
    h("p", { class: "text" }, hint),
    h(
      "footer",
      {},
      h("button", { type: "button", class: "pill", autofocus: true, onclick: () => close(false) }, no),
      h("button", { type: "button", class: "pill danger", "data-key": "yes", onclick: () => close(true) }, yes),
    ),
  ]);
}

const same = (a: unknown, b: unknown) => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);
// A price can be typed as 150000, and the API answers 150000.00.
const plain = (name: string, value: unknown) =>
  name === "price" && /^\d+(\.\d+)?$/.test(String(value ?? "")) ? String(Number(value)) : value;
const differs = (name: string, a: unknown, b: unknown) => !same(plain(name, a), plain(name, b));

/**
 * Resolves a conflict with a concurrent change: shows both values of each field that differs. Resolves with the chosen
 * values, "theirs", or undefined when the person returns to the form.
 */
function conflictDialog(
  fields: Map<string, Field>,
  base: Values,
  mine: Values,
  theirs: Values,
): Promise<Values | "theirs" | undefined> {
  const rows = [...fields.values()].filter(({ name }) => name in mine && differs(name, mine[name], theirs[name]));
  return modal<Values | "theirs">(
    () => t("conflict"),
    (close) => {
      const choices = new Map<string, HTMLInputElement>();
      const row = ({ name, show }: Field) => {
        const one = (whose: "mine" | "theirs", value: unknown) => {
          const radio = h("input", { type: "radio", name: `c-${name}`, value: whose });
          radio.checked = (whose === "mine") === differs(name, mine[name], base[name]);
          if (whose === "mine") choices.set(name, radio);
          return h(
            "label",
            { class: "choice" },
            radio,
            h(
              "span",
              {},
              h("small", {}, () => t(whose)),
              () => show(value),
            ),
          );
        };
        return h(
          "fieldset",
          { class: "versus" },
          h("legend", {}, () => t(`field.${name}`)),
          one("mine", mine[name] ?? null),
          one("theirs", theirs[name] ?? null),
        );
      };
      // A value without a field is always sent.
      const chosen = (name: string) => choices.get(name)?.checked ?? !fields.has(name);
      const choose = () =>
        close(
          Object.fromEntries(
            Object.keys(mine)
              .filter(chosen)
              .map((name) => [name, mine[name] ?? null]),
          ),
        );
      return [
        h("p", { class: "text" }, () => t("conflictHint")),
        ...rows.map(row),
        h(
          "footer",
          {},
          h("button", { type: "button", class: "pill", onclick: () => close("theirs") }, () => t("takeTheirs")),
          h("button", { type: "button", class: "pill primary", autofocus: true, onclick: choose }, () => t("keepMine")),
        ),
      ];
    },
  );
}

const PATHS: Record<Kind, string> = { customer: "/customers", vehicle: "/vehicles", service: "/services" };

/**
 * Saves changes to a record. After a concurrent change the person chooses; a `oneClick` change asks only if the other one
 * changed the same fields. Resolves with the record as the API has it, or undefined when the person cancelled.
 *
 * @throws {Refused} on every refusal other than a conflict
 */
export async function saveChanges<K extends Kind>(
  kind: K,
  base: Records[K],
  changes: Values,
  {
    signal,
    fields = group(kind).named,
    oneClick = false,
  }: { signal?: AbortSignal; fields?: Map<string, Field>; oneClick?: boolean } = {},
): Promise<Records[K] | undefined> {
  const path = `${PATHS[kind]}/${base.id}`;
  const original: Values = base;
  const shown = oneClick ? {} : Object.fromEntries([...fields.keys()].map((name) => [name, original[name]]));
  let from = base;
  let wanted = changes;
  for (;;) {
    if (Object.keys(wanted).length === 0) return from;
    try {
      return await send("PATCH", path, { body: wanted, version: from.version, signal });
    } catch (error) {
      if (!(error instanceof Refused && error.status === 412)) throw error;
    }
    const theirs = await get<Records[K]>(path, signal);
    const conflicts = (values: Values) =>
      Object.keys(wanted).some((name) => fields.has(name) && differs(name, (theirs as Values)[name], values[name]));
    // No choice: the API has these values already, perhaps from this very request, whose response was lost.
    if (!conflicts(wanted)) return theirs;
    const choice: Values | "theirs" | undefined =
      oneClick && !conflicts(from) ? wanted : await conflictDialog(fields, base, { ...shown, ...wanted }, theirs);
    if (choice === undefined) return undefined;
    from = theirs;
    wanted = choice === "theirs" ? {} : choice;
  }
}

/** Deletes a record after a confirmation. Resolves with whether it was deleted. */
async function remove(kind: Kind, record: Records[Kind], name: string, signal: AbortSignal): Promise<boolean> {
  if (
    !(await confirmed(
      () => t("deleteSure", name),
      () => t("deleteForever"),
      () => t("delete"),
    ))
  )
    return false;
  try {
    await send("DELETE", `${PATHS[kind]}/${record.id}`, { version: record.version, signal });
  } catch (error) {
    if (!(error instanceof Refused && error.status === 404)) throw error;
  }
  toast(() => t("deleted", name));
  return true;
}

const TITLES = { customer: "Customer", vehicle: "Vehicle", service: "Job" };

/** The record as saved, or its deletion; undefined when the person cancelled. */
type Edited<K extends Kind> = { saved: Records[K] } | { deleted: true } | undefined;

/**
 * Shows a dialog to edit a record. With null it creates one, with the values in `extra` besides the form's. `name` names
 * the record in the confirmation of a deletion.
 */
export function editDialog<K extends Kind>(
  kind: K,
  record: Records[K] | null,
  name: () => string = () => "",
  extra: Values = {},
): Promise<Edited<K>> {
  let present = record;
  const fields = group(kind);
  if (present) fields.write(present);
  const before = JSON.stringify(fields.typed());
  const ending = new AbortController();
  const dirty = () => JSON.stringify(fields.typed()) !== before;
  const mayClose = async () =>
    !dirty() ||
    (await confirmed(
      () => t("discard"),
      () => t("discardHint"),
      () => t("discardYes"),
      () => t("discardNo"),
    )) === true;
  const key = newKey();
  const title = () => textFor(present ? `edit${TITLES[kind]}` : `add${TITLES[kind]}`) ?? "";
  const guard = (event: Event) => {
    if (dirty()) event.preventDefault();
  };
  addEventListener("beforeunload", guard);
  return modal<Edited<K>>(
    title,
    (close, leave) => {
      const fault = h("p", { class: "fault", role: "alert" });
      const save = h("button", { type: "submit", class: "pill primary" }, () => t("save"));
      const form = h("form", { novalidate: true }, fault, fields.node);
      const submit = async (work: () => Promise<void>) => {
        if (form.ariaBusy === "true") return;
        form.ariaBusy = "true";
        setText(fault, null);
        setText(save, () => t("saving"));
        try {
          await work();
        } catch (error) {
          if (isAbort(error)) return;
          if (!(error instanceof Refused)) throw error;
          if (error.status === 404) setText(fault, () => t("gone"));
          else if (error.status === 412) setText(fault, () => t("changedMeanwhile"));
          else if (error.problem.references) setText(fault, () => referencedText(error.problem));
          else setText(fault, showErrors({ "": fields }, error));
        } finally {
          form.ariaBusy = "false";
          setText(save, () => t("save"));
        }
      };
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        submit(async () => {
          const values = fields.read();
          if (!present) {
            const saved = await send<Records[K]>("POST", PATHS[kind], {
              body: { ...values, ...extra },
              key: keyFor(key, values),
              signal: ending.signal,
            });
            return close({ saved });
          }
          const original: Values = present;
          const changes = Object.fromEntries(
            [...fields.named.keys()]
              .filter((each) => differs(each, values[each], original[each]))
              .map((each) => [each, values[each] ?? null]),
          );
          const saved = await saveChanges(kind, present, changes, { signal: ending.signal, fields: fields.named });
          if (saved) {
            toast(() => t("saved"));
            close({ saved });
          }
        });
      });
      const removeRecord = (shown: Records[K]) =>
        submit(async () => {
          try {
            if (await remove(kind, shown, name(), ending.signal)) close({ deleted: true });
          } catch (error) {
            if (error instanceof Refused && error.status === 412) {
              const newest = await get<Records[K]>(`${PATHS[kind]}/${shown.id}`, ending.signal);
              present = newest;
              fields.write(newest);
            }
            throw error;
          }
        });
      form.append(
        h(
          "footer",
          {},
          present &&
            h(
              "button",
              {
                type: "button",
                class: "pill danger-quiet",
                "data-key": "delete",
                onclick: () => present && removeRecord(present),
              },
              icon("trash"),
              () => t("delete"),
            ),
          h("button", { type: "button", class: "pill", onclick: leave }, () => t("cancel")),
          save,
        ),
      );
      return [form];
    },
    mayClose,
  ).finally(() => {
    ending.abort();
    removeEventListener("beforeunload", guard);
  });
}

/** An idempotency key for these values: other values need another key, because the API refuses one key for two requests. */
export function keyFor(key: string, values: unknown): string {
  let sum = 0;
  for (const char of JSON.stringify(values)) sum = (Math.imul(sum, 31) + (char.codePointAt(0) ?? 0)) >>> 0;
  return `${key}-${sum.toString(16)}`;
}

/**
 * Makes an input a combobox that suggests existing records. `load` finds them for a text, `line` gives the two texts of an
 * entry, `pick` receives the chosen one.
 */
export function suggest<Item>(
  input: Input,
  load: (text: string, signal: AbortSignal) => Promise<Item[]>,
  line: (item: Item) => readonly [string, string],
  pick: (item: Item) => void,
): void {
  const id = `l${++count}`;
  const list = h("ul", {
    id,
    class: "suggestions",
    role: "listbox",
    "aria-label": () => t("suggestions"),
    hidden: true,
  });
  input.after(list);
  for (const [name, value] of Object.entries({
    role: "combobox",
    "aria-autocomplete": "list",
    "aria-expanded": "false",
    "aria-controls": id,
  }))
    input.setAttribute(name, value);
  let items: Item[] = [];
  let at = -1;
  let loading: AbortController | undefined;
  let timer: number | undefined;
  const mark = (index: number) => {
    at = index;
    [...list.children].forEach((option, i) => {
      option.setAttribute("aria-selected", String(i === at));
      if (i === at) option.scrollIntoView({ block: "nearest" });
    });
    if (at < 0) input.removeAttribute("aria-activedescendant");
    else input.setAttribute("aria-activedescendant", `${id}-${at}`);
  };
  const show = (found: Item[]) => {
    items = found;
    list.replaceChildren(
      ...found.map((item, i) => {
        const [first, second] = line(item);
        const option = h("li", { id: `${id}-${i}`, role: "option" }, h("b", {}, first), h("span", {}, second));
        option.addEventListener("pointerdown", (event) => event.preventDefault());
        option.addEventListener("click", () => take(i));
        return option;
      }),
    );
    list.hidden = found.length === 0;
    input.setAttribute("aria-expanded", String(!list.hidden));
    mark(-1);
  };
  const stop = () => {
    clearTimeout(timer);
    loading?.abort();
    show([]);
  };
  const take = (index: number) => {
    const item = items[index];
    stop();
    if (item !== undefined) pick(item);
  };
  input.addEventListener("input", () => {
    clearTimeout(timer);
    loading?.abort();
    const text = input.value.trim();
    if (text.length < 2) return show([]);
    timer = window.setTimeout(async () => {
      loading = new AbortController();
      try {
        show(await load(text, loading.signal));
      } catch (error) {
        // Suggestions are optional: after a refusal (400 for an odd text) the field works without them.
        if (!isAbort(error)) show([]);
      }
    }, TYPING_PAUSE_MS);
  });
  input.addEventListener("keydown", (event: Event) => {
    if (!(event instanceof KeyboardEvent) || list.hidden) return;
    if (event.key === "ArrowDown") mark((at + 1) % items.length);
    else if (event.key === "ArrowUp") mark((at <= 0 ? items.length : at) - 1);
    else if (event.key === "Enter" && at >= 0) take(at);
    else if (event.key === "Escape") stop();
    else return;
    event.preventDefault();
  });
  input.addEventListener("blur", stop);
}
