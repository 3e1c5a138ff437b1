// The texts of the API's refusals, and their places at the fields.
import type { Refused } from "./api.ts";
import type { Field, Group, Input } from "./fields.ts";
import { t, textFor } from "./language.ts";

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
export function referencedText({ references }: Refused["problem"]): string | undefined {
  const parts = Object.entries(references ?? {}).map(([name, n]) => textFor(`count_${name}`, n) ?? `${n} ${name}`);
  return parts.length > 0 ? t("referenced", parts.join(t("and"))) : undefined;
}
