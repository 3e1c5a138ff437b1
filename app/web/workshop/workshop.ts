// The frame of the pages: the view for the address, the language, the state of the connection, the keyboard shortcuts.
import { recall, remember } from "../shared/setting.ts";
import { isAbort, onConnection, Refused, retryNow, type Trouble } from "./api.ts";
import { board } from "./board.ts";
import { customer, customers } from "./customers.ts";
import { dayOf } from "./days.ts";
import { leaveDialogs, modal } from "./dialog.ts";
import { bindText, h, icon, isTyping, keepFocus } from "./dom.ts";
import { intake } from "./intake.ts";
import { jobPage } from "./jobPage.ts";
import { currentLanguage, type Language, setLanguage, t, textFor } from "./language.ts";
import { actOnToast, toast } from "./notice.ts";
import { notaPaper, orderPaper } from "./paper.ts";
import type { Context, Shown, View } from "./view.ts";
import { week } from "./week.ts";
import type { Words } from "./words.ts";

const $ = (id: string) => document.getElementById(id) as HTMLElement;
const main = $("main");

/** The views by their address; named groups are passed to the view. `name` is the key of the title and of the entry in the menu. */
const VIEWS: { path: RegExp; name: "today" | "week" | "customers" | "newJob"; view: View }[] = [
  { path: /^\/today$/, name: "today", view: board },
  { path: /^\/day\/(?<date>\d{4}-\d\d-\d\d)$/, name: "today", view: board },
  { path: /^\/week(?:\/(?<date>\d{4}-\d\d-\d\d))?$/, name: "week", view: week },
  { path: /^\/customers$/, name: "customers", view: customers },
  { path: /^\/customers\/(?<id>\d+)$/, name: "customers", view: customer },
  { path: /^\/jobs\/(?<id>\d+)$/, name: "today", view: jobPage },
  { path: /^\/jobs\/(?<id>\d+)\/nota$/, name: "today", view: notaPaper },
  { path: /^\/jobs\/(?<id>\d+)\/order$/, name: "today", view: orderPaper },
  { path: /^\/new$/, name: "newJob", view: intake },
];

let leaving = new AbortController();
let shown: Shown = {};
let first = true;

/** Shows the view for the address; requests of the previous view are aborted. */
async function show(): Promise<void> {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const [path = "", search = ""] = location.hash.slice(1).split("?");
  if (path === "" || path === "/") {
    history.replaceState(null, "", "#/today");
    return show();
  }
  const matching = VIEWS.find((each) => each.path.test(path));
  const options: Pick<Context, "date" | "id"> = matching?.path.exec(path)?.groups ?? {};
  const found = options.date === undefined || dayOf(options.date) ? matching : undefined;
  const { name, view } = found ?? { name: "noPage" as const, view: lost };
  for (const link of document.querySelectorAll("nav a")) {
    if (link.querySelector<HTMLElement>("[data-t]")?.dataset.t === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  shown = {};
  document.title = `${t(name)} · ${t("title")}`;
  main.ariaBusy = "true";
  const fail = (error: unknown) => {
    if (isAbort(error) || signal.aborted) return;
    main.ariaBusy = "false";
    showFailure(error);
  };
  if (!first) scrollTo(0, 0);
  try {
    const result = view(main, { ...options, query: new URLSearchParams(search), signal, fail });
    // A screen reader announces the new page at once; it reads the first page from its top.
    if (!first && !isTyping(document.activeElement)) main.querySelector("h1")?.focus();
    first = false;
    shown = await result;
    if (shown.title) document.title = `${shown.title()} · ${t("title")}`;
    main.ariaBusy = "false";
  } catch (error) {
    fail(error);
  }
}

function lost(): Shown {
  main.replaceChildren(
    h("h1", { tabindex: -1 }, () => t("noPage")),
    h(
      "p",
      {},
      h("a", { class: "pill", href: "#/today" }, () => t("toToday")),
    ),
  );
  return {};
}

/** Shows an error that a retry has not removed, with a button to try again. */
function showFailure(error: unknown): void {
  const refused = error instanceof Refused ? error : undefined;
  if (!refused) console.error(error);
  const gone = refused?.status === 404;
  const again = h("button", { type: "button", class: "pill primary", onclick: show }, () => t("retry"));
  const why = () => (gone || !refused ? "" : t("failedDetail", refused.status, refused.requestId));
  main.replaceChildren(
    h("h1", { tabindex: -1 }, () => t(gone ? "gone" : "failed")),
    h("p", { class: "soft" }, why),
    h(
      "p",
      { class: "line" },
      again,
      h("a", { class: "pill", href: "#/today" }, () => t("toToday")),
    ),
  );
  again.focus();
}

// The texts of index.html.
for (const element of document.querySelectorAll<HTMLElement>("[data-t]"))
  bindText(element, null, () => textFor(element.dataset.t ?? "") ?? "");
for (const element of document.querySelectorAll<HTMLElement>("[data-t-label]"))
  bindText(element, "aria-label", () => textFor(element.dataset.tLabel ?? "") ?? "");
for (const button of document.querySelectorAll<HTMLElement>("[data-language]")) {
  const language = button.dataset.language as Language;
  bindText(button, "aria-pressed", () => String(currentLanguage() === language));
  button.addEventListener("click", () => {
    setLanguage(language);
    const name = shown.title?.() ?? main.querySelector("h1")?.textContent;
    document.title = `${name} · ${t("title")}`;
  });
}
setLanguage(currentLanguage());

// The person, the backend and the release of the last response, and a banner while requests are being retried.
let trouble: Trouble | null = null;
const banner = h("div", { class: "banner", role: "alert" });
onConnection(
  (reason, back) => {
    if (reason && reason !== trouble)
      banner.replaceChildren(
        icon("alert"),
        h("p", {}, () => t(reason)),
        h("button", { type: "button", class: "pill", onclick: retryNow }, () => t("retryNow")),
      );
    // Inside an open dialog, since the page behind it cannot be used. Above the content, not over it.
    const dialog = [...document.querySelectorAll("dialog[open]")].at(-1);
    if (!reason) keepFocus(() => banner.remove());
    else if (!dialog && banner.nextSibling !== main) main.before(banner);
    else if (dialog && banner.parentNode !== dialog) dialog.prepend(banner);
    if (!reason && trouble && back) toast(() => t("online"));
    trouble = reason;
  },
  (headers) => {
    const backend = headers.get("X-Served-By");
    const release = headers.get("X-Release");
    if (backend) bindText($("served"), null, () => t("servedBy", backend));
    if (release) bindText($("release"), null, () => t("release", release));
    const person = headers.get("X-Person");
    if (person) bindText($("person"), null, () => t("loggedIn", person));
  },
);

// A step draws another button in the place of its own: the second click of a double click is no step of that one.
const DOUBLE_CLICK = { ms: 500, px: 10 };
const isStep = (target: EventTarget | null) => target instanceof Element && target.closest("[data-step]") !== null;
let stepped: MouseEvent | undefined;
addEventListener(
  "click",
  (event) => {
    // A click by the keyboard has no place.
    if (!isStep(event.target) || event.detail === 0) return;
    const near = stepped && Math.hypot(event.x - stepped.x, event.y - stepped.y) < DOUBLE_CLICK.px;
    if (stepped && near && event.timeStamp - stepped.timeStamp < DOUBLE_CLICK.ms) event.stopImmediatePropagation();
    else stepped = event;
  },
  { capture: true },
);

const KEYS: [key: string, text: `key${string}` & keyof Words][] = [
  ["T", "keyToday"],
  ["W", "keyWeek"],
  ["/", "keyCustomers"],
  ["N", "keyNew"],
  ["← →", "keyDays"],
  ["U", "keyUndo"],
  ["Ctrl ↵", "keySave"],
  ["?", "keyHelp"],
];
let keysOn = recall("keys") !== "off";
const go = (hash: string) => {
  if (location.hash === hash) void show();
  else location.hash = hash;
};
const ACTIONS: Record<string, () => void> = {
  t: () => go("#/today"),
  w: () => go("#/week"),
  "/": () => (shown.focus ? shown.focus.select() : go("#/customers")),
  n: () => go("#/new"),
  u: actOnToast,
  "?": help,
};

function help(): void {
  const on = h("input", { type: "checkbox", role: "switch" });
  on.checked = keysOn;
  on.addEventListener("change", () => {
    keysOn = on.checked;
    remember("keys", keysOn ? "on" : "off");
  });
  modal(
    () => t("shortcuts"),
    () => [
      h("p", { class: "text" }, () => t("keysHint")),
      h(
        "dl",
        { class: "keys" },
        ...KEYS.flatMap(([key, text]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, () => t(text))]),
      ),
      h(
        "label",
        { class: "check" },
        on,
        h("span", {}, () => t("keysOn")),
      ),
    ],
  );
}
$("help").addEventListener("click", help);

addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    const form = event.target instanceof Element ? event.target.closest("form") : null;
    if (form) event.preventDefault();
    form?.requestSubmit();
    return;
  }
  // Enter that is held would press the next button, too.
  if (event.repeat && event.key === "Enter" && isStep(event.target)) event.preventDefault();
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !keysOn) return;
  if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
  const act = shown.keys?.[event.key] ?? ACTIONS[event.key.toLowerCase()];
  if (!act) return;
  event.preventDefault();
  act();
});
$("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.querySelector("h1")?.focus();
});
let asking = false;
/** Shows the view for a new address; where the person wants to stay in a dialog, the old address returns. */
async function navigate({ oldURL }: HashChangeEvent): Promise<void> {
  if (asking) return;
  asking = true;
  const left = await leaveDialogs();
  asking = false;
  if (left) await show();
  else history.pushState(null, "", oldURL);
}
addEventListener("hashchange", navigate);
void show();
