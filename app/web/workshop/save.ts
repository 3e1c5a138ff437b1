// Saves and deletes records, and lets the person choose after a concurrent change.
import { get, Refused, send } from "./api.ts";
import { modal } from "./dialog.ts";
import { h } from "./dom.ts";
import { type Field, group } from "./fields.ts";
import { t } from "./language.ts";
import { toast } from "./notice.ts";
import type { Kind, Records, Values } from "./records.ts";

const same = (a: unknown, b: unknown) => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);
// A price can be typed as 150000, and the API answers 150000.00.
const DECIMALS = ["price", "unit_price", "quantity"];
const plain = (name: string, value: unknown) =>
  DECIMALS.includes(name) && /^\d+(\.\d+)?$/.test(String(value ?? "")) ? String(Number(value)) : value;
/** Whether two values of a field of this name are different for a person. */
export const differs = (name: string, a: unknown, b: unknown) => !same(plain(name, a), plain(name, b));

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

/** The path of each kind of record in the API. */
export const PATHS: Record<Kind, string> = {
  customer: "/customers",
  vehicle: "/vehicles",
  service: "/services",
  line: "/lines",
};

/**
 * Saves changes to a record. After a concurrent change the person chooses; a `oneClick` change asks only if the other one
 * changed the same fields. `seen` has the fields on whose values the person has decided: where one of them is another meanwhile,
 * nothing is saved. Resolves with the record as the API has it, or undefined when the person cancelled.
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
    seen = [],
  }: { signal?: AbortSignal; fields?: Map<string, Field>; oneClick?: boolean; seen?: readonly string[] } = {},
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
    if (!conflicts(wanted) || seen.some((name) => differs(name, (theirs as Values)[name], original[name])))
      return theirs;
    const choice: Values | "theirs" | undefined =
      oneClick && !conflicts(from) ? wanted : await conflictDialog(fields, base, { ...shown, ...wanted }, theirs);
    if (choice === undefined) return undefined;
    from = theirs;
    wanted = choice === "theirs" ? {} : choice;
  }
}

/** Deletes a record; it is no failure if somebody else has deleted it already. `name` is for the notice. */
export async function remove(kind: Kind, record: Records[Kind], name: string, signal: AbortSignal): Promise<void> {
  try {
    await send("DELETE", `${PATHS[kind]}/${record.id}`, { version: record.version, signal });
  } catch (error) {
    if (!(error instanceof Refused && error.status === 404)) throw error;
  }
  toast(() => t("deleted", name));
}

/** An idempotency key for these values: other values need another key, because the API refuses one key for two requests. */
export function keyFor(key: string, values: unknown): string {
  let sum = 0;
  for (const char of JSON.stringify(values)) sum = (Math.imul(sum, 31) + (char.codePointAt(0) ?? 0)) >>> 0;
  return `${key}-${sum.toString(16)}`;
}
