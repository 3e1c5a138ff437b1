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
