// The people who changed a record: a list that is empty, and not shown, where the workshop has no login.
import { get, type Page } from "./api.ts";
import { h } from "./dom.ts";
import { dateTime, money, t, textFor } from "./language.ts";
import type { Change } from "./records.ts";

const LIMIT = 50;

/** The changed fields in the chosen language, with the values that the API keeps. */
function fieldsText({ action, fields }: Change): string {
  if (action !== "changed") return t(`did_${action}`);
  const texts = Object.entries(fields).map(([name, value]) => {
    if (name === "status") return textFor(String(value)) ?? String(value);
    if (name === "paid_at") return t(value ? "paid" : "unpaid");
    if (name === "price") return `${t("field.price")} ${money(String(value))}`;
    if (name.startsWith("line_")) return `${t(`did_${name}` as "did_line_created")} ${value}`;
    return textFor(`field.${name}`) ?? name;
  });
  return texts.join(", ");
}

/** Reads the people who changed the record at this path; null if nobody is known. */
export async function changesOf(path: string, signal: AbortSignal): Promise<HTMLElement | null> {
  const { items, next } = await get<Page<Change>>(`${path}/changes?limit=${LIMIT}`, signal);
  if (items.length === 0) return null;
  return h(
    "section",
    { class: "panel" },
    h("h2", {}, () => t("changes")),
    h(
      "ul",
      { class: "changes" },
      ...items.map((each) =>
        h(
          "li",
          {},
          h("b", {}, each.person),
          h("span", { class: "soft" }, () => dateTime(each.at)),
          h("span", {}, () => fieldsText(each)),
        ),
      ),
    ),
    next && h("p", { class: "none" }, () => t("onlySome", items.length)),
  );
}
