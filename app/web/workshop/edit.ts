// The dialog that creates, edits and deletes a record.
import { get, isAbort, newKey, Refused, send } from "./api.ts";
import { confirmed, modal } from "./dialog.ts";
import { h, icon, setText } from "./dom.ts";
import { referencedText, showErrors } from "./errors.ts";
import { group } from "./fields.ts";
import { t, textFor } from "./language.ts";
import { toast } from "./notice.ts";
import type { Kind, Records, Values } from "./records.ts";
import { differs, keyFor, PATHS, remove, saveChanges } from "./save.ts";

type Work = () => Promise<void>;

const TITLES = { customer: "Customer", vehicle: "Vehicle", service: "Job", line: "Line" };

/** The record as saved, or its deletion; undefined when the person cancelled. */
type Edited<K extends Kind> = { saved: Records[K] } | { deleted: true } | undefined;
type Options<K extends Kind> = {
  /** Aborts when the view is left. */
  signal: AbortSignal;
  /** Names the record in the confirmation of a deletion. */
  name?: (record: Records[K]) => string;
  /** Values of a new record besides the form's. */
  extra?: Values;
};

/** The reading of the record for the next dialog; a second click replaces it. */
let opening = new AbortController();

/** Shows a dialog to edit a record as the API has it now, because the list may be old; with null, to create one. */
export async function editDialog<K extends Kind>(
  kind: K,
  listed: Records[K] | null,
  options: Options<K>,
): Promise<Edited<K>> {
  opening.abort();
  opening = new AbortController();
  const opener = document.activeElement;
  try {
    const signal = AbortSignal.any([options.signal, opening.signal]);
    const present = listed && (await get<Records[K]>(`${PATHS[kind]}/${listed.id}`, signal));
    // Tab may have moved the focus meanwhile; at the end it returns to the element that has it now.
    if (opener instanceof HTMLElement) opener.focus();
    return await show(kind, present, options);
  } catch (error) {
    if (isAbort(error)) return undefined;
    if (!(error instanceof Refused)) throw error;
    const gone = error.status === 404;
    toast(() => t(gone ? "gone" : "failed"));
    return gone ? { deleted: true } : undefined;
  }
}

function show<K extends Kind>(
  kind: K,
  record: Records[K] | null,
  { name = () => "", extra = {} }: Options<K>,
): Promise<Edited<K>> {
  let present = record;
  const fields = group(kind);
  if (present) fields.write(present);
  const fixed =
    present && "line_count" in present && (present.line_count > 0 ? "fromLines" : present.paid_at && "paid");
  if (fixed) fields.named.get("price")?.lock(() => t(fixed));
  let written = fields.typed();
  const ending = new AbortController();
  /** The fields with another text than the record's. A text can be less exact than its value: a time is shown without its seconds. */
  const retyped = () =>
    Object.entries(fields.typed()).flatMap(([name, text]) => (text === written[name] ? [] : [name]));
  const dirty = () => retyped().length > 0;
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
      const erase = h("span", {}, () => t("delete"));
      /** Works with the form; `label` says so meanwhile. */
      const submit = async (label: Element, idle: "save" | "delete", busy: "saving" | "deleting", work: Work) => {
        if (form.ariaBusy === "true") return;
        form.ariaBusy = "true";
        setText(fault, null);
        setText(label, () => t(busy));
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
          setText(label, () => t(idle));
        }
      };
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        submit(save, "save", "saving", async () => {
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
            retyped()
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
      const removeRecord = async (shown: Records[K]) => {
        const sure = await confirmed(
          () => t("deleteSure", name(shown)),
          () => t("deleteForever"),
          () => t("delete"),
        );
        if (!sure) return;
        await submit(erase, "delete", "deleting", async () => {
          try {
            await remove(kind, shown, name(shown), ending.signal);
            close({ deleted: true });
          } catch (error) {
            if (error instanceof Refused && error.status === 412) {
              const newest = await get<Records[K]>(`${PATHS[kind]}/${shown.id}`, ending.signal);
              const texts = fields.typed();
              const typed = retyped().map((name) => [name, texts[name] ?? ""]);
              present = newest;
              fields.write(newest);
              written = fields.typed();
              fields.retype(Object.fromEntries(typed));
            }
            throw error;
          }
        });
      };
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
              erase,
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
