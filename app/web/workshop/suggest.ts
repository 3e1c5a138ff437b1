// Suggestions of existing records below an input.
import { isAbort } from "./api.ts";
import { h } from "./dom.ts";
import type { Input } from "./fields.ts";
import { t } from "./language.ts";

/** A request waits this long for the next key. */
export const TYPING_PAUSE_MS = 160;

let count = 0;

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
