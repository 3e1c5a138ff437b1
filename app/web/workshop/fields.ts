// The forms' fields: the inputs of each kind of record, and their values for the API.
import { isoDay, OPENING_HOUR } from "./days.ts";
import { type Attributes, h, setText, type Text } from "./dom.ts";
import {
  dateTime,
  day,
  money,
  parseKilometres,
  parseMoney,
  parseQuantity,
  plainNumber,
  quantity,
  t,
  textFor,
} from "./language.ts";
import type { Kind, Status, Values } from "./records.ts";
import type { Words } from "./words.ts";

export const STATUSES: readonly Status[] = ["scheduled", "in_progress", "done", "cancelled"];

type NameIn<Key> = Key extends `field.${infer Name}` ? Name : never;
export type FieldName = NameIn<keyof Words>;
export type Input = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;

type FieldSpec = {
  name: FieldName;
  /** The API's limit, in characters. */
  max?: number;
  needed?: boolean;
  type?: "tel" | "email" | "area" | "number" | "km" | "when" | "day" | "money" | "quantity" | "choice";
  /** The values of a choice; the text of each is the one of this name. */
  options?: readonly (keyof Words)[];
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
    { name: "year", max: 4, needed: true, type: "number" },
    { name: "make", max: 60, needed: true },
    { name: "model", max: 60, needed: true },
    { name: "vin", max: 17, class: "upper" },
  ],
  service: [
    { name: "kind", max: 80, needed: true, hint: true },
    { name: "scheduled_at", needed: true, type: "when" },
    { name: "price", needed: true, type: "money" },
    { name: "status", needed: true, type: "choice", options: STATUSES },
    { name: "mechanic", max: 80 },
    { name: "odometer", max: 20, type: "km" },
    { name: "paid_at", type: "when" },
    { name: "remind_at", type: "day" },
    { name: "description", max: 2000, type: "area" },
    { name: "notes", max: 4000, type: "area" },
  ],
  line: [
    { name: "type", needed: true, type: "choice", options: ["part", "labour"] },
    { name: "name", max: 200, needed: true },
    { name: "quantity", needed: true, type: "quantity" },
    { name: "unit_price", needed: true, type: "money" },
  ],
};

let count = 0;

/** The text of an input. A date that is typed only in part has the value "": it must be refused, and not saved as none. */
const textOf = (input: Input) => (input.validity.badInput ? "incomplete" : input.value);

const pad = (n: number) => String(n).padStart(2, "0");
const localTime = (at: Date) => `${isoDay(at)}T${pad(at.getHours())}:${pad(at.getMinutes())}`;

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
  quantity: {
    out: (text) => parseQuantity(text),
    in: (value) => (/^\d+(\.\d+)?$/.test(value) ? quantity(value) : value),
    show: quantity,
  },
  day: {
    out: (text) => {
      const at = new Date(`${text}T${pad(OPENING_HOUR)}:00`);
      return Number.isNaN(at.getTime()) ? text : at.toISOString();
    },
    in: (value) => isoDay(new Date(value)),
    show: day,
  },
  km: { out: parseKilometres, in: plainNumber, show: plainNumber },
  number: { out: (text) => (/^\d+$/.test(text) ? Number(text) : text) },
  choice: { show: (value) => textFor(value) ?? value },
};

export type Field = {
  name: FieldName;
  needed: boolean;
  max: number | undefined;
  node: HTMLElement;
  input: Input;
  /** Shows an error at the field; null removes it. */
  setError: (text: Text | null) => void;
  /** Makes the value one that a person reads but does not write, with the reason beside the label. */
  lock: (why: () => string) => void;
  /** A value of the API as text. */
  show: (value: unknown) => string;
  /** The value for the API; null for an empty field. */
  get: () => unknown;
  set: (value: unknown) => void;
};

function field(kind: Kind, { name, max, needed = false, type, options = [], hint, class: style }: FieldSpec): Field {
  const id = `f${++count}`;
  const { out = (text) => text, in: into = String, show = String }: Conversion = (type && CONVERT[type]) ?? {};
  const common: Attributes = { id, name: `${kind}-${name}`, "aria-describedby": `${id}-error`, autocomplete: "off" };
  if (needed) common["aria-required"] = "true";
  if (max) common.maxlength = max;
  if (style) common.class = style;
  if (hint) common.placeholder = () => textFor(`hint.${name}`);
  const inputs: Record<NonNullable<FieldSpec["type"]>, () => Input> = {
    area: () => h("textarea", { ...common, rows: 2 }),
    choice: () => h("select", common, ...options.map((each) => h("option", { value: each }, () => textFor(each)))),
    when: () => h("input", { ...common, type: "datetime-local" }),
    day: () => h("input", { ...common, type: "date" }),
    km: () => h("input", { ...common, inputmode: "numeric" }),
    money: () => h("input", { ...common, inputmode: "decimal" }),
    quantity: () => h("input", { ...common, inputmode: "decimal" }),
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
  // A number gets the usual notation when the field is left; a text that the API will refuse stays as it was typed.
  if (type === "money" || type === "quantity" || type === "km")
    input.addEventListener("change", () => {
      const value = String(out(input.value.trim()));
      if (/^\d+(\.\d{1,3})?$/.test(value)) input.value = into(value);
    });
  input.addEventListener("input", () => setError(null));
  return {
    name,
    needed,
    max,
    node,
    input,
    setError,
    lock: (why) => {
      input.setAttribute("readonly", "");
      label.append(h("small", {}, why));
    },
    show: (value) => (value === null || value === "" ? t("empty") : show(String(value))),
    get: () => {
      const text = textOf(input).trim();
      return text === "" ? null : out(text);
    },
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
    typed: () => Object.fromEntries(fields.map(({ name, input }) => [name, textOf(input)])),
    retype: (texts) => {
      for (const { name, input, setError } of fields) {
        const text = texts[name];
        if (text === undefined) continue;
        input.value = text;
        setError(null);
      }
    },
  };
}
