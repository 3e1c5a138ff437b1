// Short words at the lower edge, read out by a screen reader, with at most one thing to do.
import { h, icon } from "./dom.js";
import { t } from "./language.js";

const STAY_MS = 8000;
const place = document.getElementById("notices");
let act = null;

/** Says something for 8 s; a newer word takes its place. action is {word, run}, also run by the key U. */
export function toast(text, action) {
  act = null;
  const gone = () => {
    if (!note.isConnected) return;
    note.remove();
    act = null;
  };
  let timer = setTimeout(gone, STAY_MS);
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
      timer = setTimeout(gone, STAY_MS);
    });
  place.replaceChildren(note);
}

/** Takes the word away: what it offers is out of date. */
export function hush() {
  act = null;
  place.replaceChildren();
}

/** Does what the newest word offers, if it offers anything. */
export function actOnToast() {
  act?.();
}
