// Short notices at the lower edge, announced by a screen reader, with at most one action.
import { type Child, h, icon, keepFocus, type Text } from "./dom.ts";
import { t } from "./language.ts";

const NOTICE_MS = 8000;
const place = document.getElementById("notices") as HTMLElement;
let act: (() => void) | null = null;

export type Action = { word: Child; run: () => unknown };

/** Shows a notice for 8 s, or until the next one. The key U runs its action as well. */
export function toast(text: Text, action?: Action | false): void {
  act = null;
  const gone = () => {
    if (!note.isConnected) return;
    keepFocus(() => note.remove());
    act = null;
  };
  let timer = setTimeout(gone, NOTICE_MS);
  const note = h("div", { class: "notice" }, h("p", {}, text));
  if (action) {
    act = () => {
      gone();
      action.run();
    };
    note.append(
      h(
        "button",
        { type: "button", onclick: () => act?.() },
        icon("undo"),
        action.word,
        h("kbd", { "aria-hidden": "true" }, "U"),
      ),
    );
  }
  note.append(
    h("button", { type: "button", class: "round", "aria-label": () => t("close"), onclick: gone }, icon("x")),
  );
  for (const stay of ["pointerenter", "focusin"]) note.addEventListener(stay, () => clearTimeout(timer));
  for (const go of ["pointerleave", "focusout"])
    note.addEventListener(go, () => {
      clearTimeout(timer);
      if (!note.matches(":hover, :focus-within")) timer = setTimeout(gone, NOTICE_MS);
    });
  keepFocus(() => place.replaceChildren(note));
}

/** Removes the notice: its action is out of date. */
export function hideToast(): void {
  act = null;
  keepFocus(() => place.replaceChildren());
}

/** Runs the action of the present notice, if it has one. */
export function actOnToast(): void {
  act?.();
}
