// The frame: which view the address names, the language, the connection, the keys.
import { isAbort, onConnection, retryNow } from "./api.js";
import { board } from "./board.js";
import { customer, customers } from "./customers.js";
import { adopt, h, icon, isTyping } from "./dom.js";
import { modal } from "./form.js";
import { intake } from "./intake.js";
import { currentLanguage, recall, remember, setLanguage, t } from "./language.js";
import { actOnToast, toast } from "./notice.js";

const $ = (id) => document.getElementById(id);
const main = $("main");

const VIEWS = [
  [/^\/today$/, () => ["today", board, {}]],
  [/^\/day\/(\d{4}-\d\d-\d\d)$/, ([, date]) => ["today", board, { date }]],
  [/^\/customers$/, () => ["customers", customers, {}]],
  [/^\/customers\/(\d+)$/, ([, id]) => ["customers", customer, { id }]],
  [/^\/new$/, () => ["newJob", intake, {}]],
];

let leaving = new AbortController();
let shown = {};
let first = true;

/** Shows what the address names. What the view before it still waits for is dropped. */
async function show() {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const [path, search = ""] = location.hash.slice(1).split("?");
  if (path === "" || path === "/") {
    history.replaceState(null, "", "#/today");
    return show();
  }
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  const [name, view, options] = VIEWS.map(([form, make]) => form.exec(path) && make(form.exec(path))).find(Boolean) ?? [
    "noPage",
    lost,
    {},
  ];
  for (const link of document.querySelectorAll("nav a")) {
    if (link.querySelector("[data-t]").dataset.t === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  shown = {};
  document.title = `${t(name)} · ${t("title")}`;
  main.ariaBusy = "true";
  const fail = (error) => {
    if (isAbort(error) || signal.aborted) return;
    main.ariaBusy = "false";
    broken(error);
  };
  if (!first) scrollTo(0, 0);
  try {
    const result = view(main, { ...options, query: new URLSearchParams(search), signal, fail });
    // A screen reader hears the new page's name at once; the first page is read from its top anyway.
    if (!first && !isTyping(document.activeElement)) main.querySelector("h1")?.focus();
    first = false;
    shown = (await result) ?? {};
    if (shown.title) document.title = `${shown.title()} · ${t("title")}`;
    main.ariaBusy = "false";
  } catch (error) {
    fail(error);
  }
}

function lost() {
  main.replaceChildren(
    h("h1", { tabindex: -1 }, () => t("noPage")),
    h(
      "p",
      {},
      h("a", { class: "pill", href: "#/today" }, () => t("toToday")),
    ),
  );
}

/** What asking again by itself does not mend. */
function broken(error) {
  if (error.status === undefined) console.error(error);
  const gone = error.status === 404;
  const again = h("button", { type: "button", class: "pill primary", onclick: show }, () => t("retry"));
  const why = () => (gone || error.status === undefined ? "" : t("failedDetail", error.status, error.requestId));
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

// The words of index.html.
for (const element of document.querySelectorAll("[data-t]")) adopt(element, null, () => t(element.dataset.t));
for (const element of document.querySelectorAll("[data-t-label]"))
  adopt(element, "aria-label", () => t(element.dataset.tLabel));
for (const button of document.querySelectorAll("[data-language]")) {
  adopt(button, "aria-pressed", () => String(currentLanguage() === button.dataset.language));
  button.addEventListener("click", () => {
    setLanguage(button.dataset.language);
    const name = shown.title?.() ?? main.querySelector("h1")?.textContent;
    document.title = `${name} · ${t("title")}`;
  });
}
setLanguage(currentLanguage());

// Which backend answered last, and the words while nobody does.
let trouble = null;
const banner = h("div", { class: "banner", role: "alert" });
onConnection(
  (reason, back) => {
    if (reason && reason !== trouble)
      banner.replaceChildren(
        icon("alert"),
        h("p", {}, () => t(reason)),
        h("button", { type: "button", class: "pill", onclick: retryNow }, () => t("retryNow")),
      );
    // Inside an open dialog, since the page behind it cannot be used.
    const place = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body;
    if (!reason) banner.remove();
    else if (banner.parentNode !== place) place.append(banner);
    if (!reason && trouble && back) toast(() => t("online"));
    trouble = reason;
  },
  (headers) => {
    const backend = headers.get("X-Served-By");
    const release = headers.get("X-Release");
    if (backend) adopt($("served"), null, () => t("servedBy", backend));
    if (release) adopt($("release"), null, () => t("release", release));
  },
);

const KEYS = [
  ["T", "keyToday"],
  ["/", "keyCustomers"],
  ["N", "keyNew"],
  ["← →", "keyDays"],
  ["U", "keyUndo"],
  ["Ctrl ↵", "keySave"],
  ["?", "keyHelp"],
];
let keysOn = recall("keys") !== "off";
const go = (hash) => {
  if (location.hash === hash) show();
  else location.hash = hash;
};
const ACTS = {
  t: () => go("#/today"),
  "/": () => (shown.focus ? shown.focus.select() : go("#/customers")),
  n: () => go("#/new"),
  u: actOnToast,
  "?": help,
};

function help() {
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
        ...KEYS.flatMap(([key, word]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, () => t(word))]),
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
    const form = event.target.closest?.("form");
    if (form) event.preventDefault();
    form?.requestSubmit();
    return;
  }
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !keysOn) return;
  if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
  const act = shown.keys?.[event.key] ?? ACTS[event.key.toLowerCase()];
  if (!act) return;
  event.preventDefault();
  act();
});
$("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.querySelector("h1")?.focus();
});
addEventListener("hashchange", show);
show();
