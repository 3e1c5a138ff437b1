// Modal dialogs, and the question before an action that cannot be undone.
import { focusHeading, focusKey, h, icon, type Text } from "./dom.ts";
import type { Input } from "./fields.ts";
import { t } from "./language.ts";

let count = 0;

/** Closes each dialog, if the person agrees. */
const leaves = new WeakMap<Element, () => Promise<boolean>>();

/** Closes all dialogs, the topmost one first; false as soon as the person wants to stay in one. */
export async function leaveDialogs(): Promise<boolean> {
  for (const dialog of [...document.querySelectorAll("dialog[open]")].reverse())
    if ((await leaves.get(dialog)?.()) === false) return false;
  return true;
}

/**
 * Shows a modal dialog. Resolves with the argument of close(), or undefined after Escape; the focus returns to the element
 * that had it. `leave` closes only after mayClose() has agreed.
 */
export function modal<Result>(
  title: () => string,
  build: (close: (value?: Result) => void, leave: () => Promise<boolean>) => Node[],
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
      const agreed = await mayClose();
      if (agreed) close();
      return agreed;
    };
    leaves.set(dialog, leave);
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
      else if (!focusKey(opener?.dataset.key ?? "")) focusHeading();
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
export function confirmed(
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
