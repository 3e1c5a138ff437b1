// Fields, their errors as the API names them, and the dialogs in which things are edited.
import { ask, get, isAbort, newKey, Refused } from "./api.js";
import { focusKey, h, icon, say } from "./dom.js";
import { dateTime, money, parseMoney, plainNumber, t } from "./language.js";
import { toast } from "./notice.js";

export const STATUSES = ["scheduled", "in_progress", "done", "cancelled"];

/** What the three kinds of things consist of. A max is the API's; an empty optional field is sent as null. */
const FIELDS = {
  customer: [
    { name: "name", max: 200, needed: true },
    { name: "phone", max: 32, needed: true, type: "tel" },
    { name: "email", max: 254, type: "email" },
    { name: "address", max: 500, type: "area" },
  ],
  vehicle: [
    { name: "plate", max: 15, needed: true, look: "plated" },
    { name: "make", max: 60, needed: true },
    { name: "model", max: 60, needed: true },
    { name: "year", max: 4, needed: true, type: "number" },
    { name: "vin", max: 17, look: "upper" },
  ],
  service: [
    { name: "kind", max: 80, needed: true, hint: true },
    { name: "scheduled_at", needed: true, type: "when" },
    { name: "price", needed: true, type: "money" },
    { name: "status", needed: true, type: "choice" },
    { name: "description", max: 2000, type: "area" },
    { name: "notes", max: 4000, type: "area" },
  ],
};

let count = 0;

const pad = (n) => String(n).padStart(2, "0");
const localTime = (at) =>
  `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}T${pad(at.getHours())}:${pad(at.getMinutes())}`;

/** Ways between an input's text and the API's value, where they differ. */
const CONVERT = {
  money: {
    out: parseMoney,
    in: (value) => (/^\d+(\.\d+)?$/.test(value) ? plainNumber(value) : value),
    show: money,
  },
  when: {
    out: (text) => (Number.isNaN(Date.parse(text)) ? text : new Date(text).toISOString()),
    in: (value) => localTime(new Date(value)),
    show: dateTime,
  },
  number: { out: (text) => (/^\d+$/.test(text) ? Number(text) : text) },
  choice: { show: (value) => t(value) },
};

/** One labelled input: {name, node, input, get, set, show, fault}. */
function field(kind, { name, max, needed, type, hint, look }) {
  const id = `f${++count}`;
  const { out = (text) => text, in: into = String, show = String } = CONVERT[type] ?? {};
  const common = { id, name: `${kind}-${name}`, "aria-describedby": `${id}-error`, autocomplete: "off" };
  if (needed) common["aria-required"] = "true";
  if (max) common.maxlength = max;
  if (look) common.class = look;
  if (hint) common.placeholder = () => t(`hint.${name}`);
  const kinds = {
    area: () => h("textarea", { ...common, rows: 2 }),
    choice: () => h("select", common, ...STATUSES.map((each) => h("option", { value: each }, () => t(each)))),
    when: () => h("input", { ...common, type: "datetime-local" }),
    money: () => h("input", { ...common, inputmode: "decimal" }),
    number: () => h("input", { ...common, inputmode: "numeric" }),
    tel: () => h("input", { ...common, type: "tel" }),
    // Not type=email: the browser would rewrite what was typed, and the API is the one judge.
    email: () => h("input", { ...common, inputmode: "email", autocapitalize: "none", spellcheck: "false" }),
  };
  const input = (kinds[type] ?? (() => h("input", common)))();
  const error = h("p", { class: "error", id: `${id}-error` });
  const label = h("label", { for: id }, () => t(`field.${name}`));
  if (!needed) label.append(h("small", {}, () => t("optional")));
  const control =
    type === "money" ? h("div", { class: "money" }, h("span", { "aria-hidden": "true" }, "Rp"), input) : input;
  const node = h("div", { class: `field field-${name}` }, label, control, error);
  const fault = (text) => {
    input.setAttribute("aria-invalid", String(Boolean(text)));
    say(error, text);
  };
  // The grey "Rp" says the currency; a number typed without separators gets them when the field is left.
  if (type === "money")
    input.addEventListener("change", () => {
      input.value = into(parseMoney(input.value));
    });
  input.addEventListener("input", () => fault(null));
  return {
    name,
    needed,
    max,
    node,
    input,
    fault,
    show: (value) => (value === null || value === "" ? t("empty") : show(value)),
    get: () => (input.value.trim() === "" ? null : out(input.value.trim())),
    set: (value) => {
      input.value = value === null || value === undefined ? "" : into(value);
    },
  };
}

/** The fields of a customer, vehicle or service. read() leaves out what is needed and empty, so that the API says so. */
export function group(kind, without = []) {
  const fields = FIELDS[kind].filter(({ name }) => !without.includes(name)).map((each) => field(kind, each));
  const named = new Map(fields.map((each) => [each.name, each]));
  return {
    kind,
    named,
    node: h("div", { class: `fields fields-${kind}` }, ...fields.map(({ node }) => node)),
    read: () => {
      const values = fields.map(({ name, get, needed }) => [name, get() ?? (needed ? undefined : null)]);
      return Object.fromEntries(values.filter(([, value]) => value !== undefined));
    },
    write: (values) => {
      for (const { name, set } of fields) if (name in values) set(values[name]);
    },
    typed: () => Object.fromEntries(fields.map(({ name, input }) => [name, input.value])),
    retype: (texts) => {
      for (const { name, input } of fields) if (name in texts) input.value = texts[name];
    },
  };
}

/** What is wrong with a field, by the API's code; its own sentence where the code is not known here. */
function faultText(field, { code, detail }) {
  const known = field.get() === null && field.needed ? "required" : code;
  // What is too short for a phone or a VIN is said best by what they look like.
  const keys = [`${known}.${field.name}`, known === "too_short" && `format.${field.name}`, known];
  return () => keys.map((each) => t(`error.${each}`, field.max)).find(Boolean) ?? detail;
}

/**
 * Puts a refused form's errors beside its fields and focuses the first. groups maps a pointer's first part ("" where
 * there is none) to its fields. Answers what to say above the form: a function, since the language can change.
 */
export function showFaults(groups, { problem, status, requestId }) {
  const unplaced = [];
  const marked = [];
  for (const each of problem.errors ?? []) {
    const path = String(each.pointer ?? "")
      .split("/")
      .slice(1);
    const [prefix, name] = path.length > 1 ? path : ["", path[0]];
    const at = groups[prefix]?.named.get(name);
    if (at && marked.includes(at.input)) continue;
    if (at) {
      at.fault(faultText(at, each));
      marked.push(at.input);
    } else unplaced.push(t(`error.${each.code}`) ?? each.detail);
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

/** What still refers to a thing that could not be deleted, or undefined. */
export function referencedText({ problem }) {
  const parts = Object.entries(problem.references ?? {}).map(([name, n]) => t(`count_${name}`, n) ?? `${n} ${name}`);
  return parts.length > 0 ? t("referenced", parts.join(t("and"))) : undefined;
}

/** A modal dialog. Resolves with what close(value) got, or undefined after Escape; the focus goes back where it was. */
export function modal(title, build, mayClose = async () => true) {
  return new Promise((resolve) => {
    const opener = document.activeElement;
    const id = `d${++count}`;
    let result;
    const dialog = h("dialog", { "aria-labelledby": id });
    const close = (value) => {
      result = value;
      dialog.close();
    };
    const leave = async () => {
      if (await mayClose()) close();
    };
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
      else if (!focusKey(opener?.dataset?.key ?? "")) document.querySelector("h1")?.focus();
      resolve(result);
    });
    document.body.append(dialog);
    dialog.showModal();
    (dialog.querySelector("[autofocus]") ?? dialog.querySelector("input, textarea, select"))?.focus();
  });
}

/** Asks before something is done. */
export function sure(title, hint, yes, no = () => t("cancel")) {
  return modal(title, (close) => [
    h("p", { class: "text" }, hint),
    h(
      "footer",
      {},
      h("button", { type: "button", class: "pill", autofocus: true, onclick: () => close(false) }, no),
      h("button", { type: "button", class: "pill danger", "data-key": "yes", onclick: () => close(true) }, yes),
    ),
  ]);
}

const same = (a, b) => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);
// A price can be typed as 150000 and comes back as 150000.00.
const plain = (name, value) => (name === "price" && /^\d+(\.\d+)?$/.test(value ?? "") ? String(Number(value)) : value);
const differs = (name, a, b) => !same(plain(name, a), plain(name, b));

/**
 * Somebody else was faster: shows both values of each field that differs. Resolves with the chosen values, "theirs", or
 * undefined when the person goes back to the form.
 */
function conflictDialog(fields, base, mine, theirs) {
  const rows = Object.keys(mine).filter((name) => fields.has(name) && differs(name, mine[name], theirs[name]));
  return modal(
    () => t("conflict"),
    (close) => {
      const choices = new Map();
      const row = (name) => {
        const one = (whose, value) => {
          const radio = h("input", { type: "radio", name: `c-${name}`, value: whose });
          radio.checked = (whose === "mine") === differs(name, mine[name], base[name]);
          if (whose === "mine") choices.set(name, radio);
          return h(
            "label",
            { class: "choice" },
            radio,
            h(
              "span",
              {},
              h("small", {}, () => t(whose)),
              () => fields.get(name).show(value),
            ),
          );
        };
        return h(
          "fieldset",
          { class: "versus" },
          h("legend", {}, () => t(`field.${name}`)),
          one("mine", mine[name] ?? null),
          one("theirs", theirs[name] ?? null),
        );
      };
      // What has no field goes with the rest.
      const chosen = (name) => choices.get(name)?.checked ?? !fields.has(name);
      const choose = () =>
        close(
          Object.fromEntries(
            Object.keys(mine)
              .filter(chosen)
              .map((name) => [name, mine[name] ?? null]),
          ),
        );
      return [
        h("p", { class: "text" }, () => t("conflictHint")),
        ...rows.map(row),
        h(
          "footer",
          {},
          h("button", { type: "button", class: "pill", onclick: () => close("theirs") }, () => t("takeTheirs")),
          h("button", { type: "button", class: "pill primary", autofocus: true, onclick: choose }, () => t("keepMine")),
        ),
      ];
    },
  );
}

const PATHS = { customer: "/customers", vehicle: "/vehicles", service: "/services" };

/**
 * Saves changes to a thing. When somebody else changed it meanwhile, the person chooses; a oneClick change asks only if
 * the other one changed the same fields. Resolves with the thing as it is now, or undefined when the person went back;
 * throws Refused for other refusals.
 */
export async function saveChanges(kind, base, changes, { signal, fields = group(kind).named, oneClick = false } = {}) {
  const path = `${PATHS[kind]}/${base.id}`;
  const shown = oneClick ? {} : Object.fromEntries([...fields.keys()].map((name) => [name, base[name]]));
  let from = base;
  let wanted = changes;
  for (;;) {
    if (Object.keys(wanted).length === 0) return from;
    try {
      return (await ask("PATCH", path, { body: wanted, version: from.version, signal })).data;
    } catch (error) {
      if (error.status !== 412) throw error;
    }
    const theirs = await get(path, signal);
    const clash = (values) =>
      Object.keys(wanted).some((name) => fields.has(name) && differs(name, theirs[name], values[name]));
    // Nothing to choose: the same was saved already, perhaps by this very request before its answer was lost.
    if (!clash(wanted)) return theirs;
    const choice =
      oneClick && !clash(from) ? wanted : await conflictDialog(fields, base, { ...shown, ...wanted }, theirs);
    if (choice === undefined) return undefined;
    from = theirs;
    wanted = choice === "theirs" ? {} : choice;
  }
}

/** Deletes after asking. Resolves with true when it is gone. */
async function remove(kind, thing, name, signal) {
  if (
    !(await sure(
      () => t("deleteSure", name),
      () => t("deleteForever"),
      () => t("delete"),
    ))
  )
    return false;
  try {
    await ask("DELETE", `${PATHS[kind]}/${thing.id}`, { version: thing.version, signal });
  } catch (error) {
    if (error.status !== 404) throw error;
  }
  toast(() => t("deleted", name));
  return true;
}

const TITLES = { customer: "Customer", vehicle: "Vehicle", service: "Job" };

/**
 * A dialog to edit a thing, or with no thing to add one with the values in extra. name is what a deletion calls it.
 * Resolves with {saved} or {deleted: true}, or undefined when nothing was done.
 */
export function editDialog(kind, thing, name, extra = {}) {
  const fields = group(kind);
  if (thing) fields.write(thing);
  const before = JSON.stringify(fields.typed());
  const ending = new AbortController();
  const dirty = () => JSON.stringify(fields.typed()) !== before;
  const mayClose = async () =>
    !dirty() ||
    (await sure(
      () => t("discard"),
      () => t("discardHint"),
      () => t("discardYes"),
      () => t("discardNo"),
    )) === true;
  const key = newKey();
  const title = () => t(thing ? `edit${TITLES[kind]}` : `add${TITLES[kind]}`);
  const guard = (event) => dirty() && event.preventDefault();
  addEventListener("beforeunload", guard);
  return modal(
    title,
    (close, leave) => {
      const word = h("p", { class: "fault", role: "alert" });
      const save = h("button", { type: "submit", class: "pill primary" }, () => t("save"));
      const form = h("form", { novalidate: true }, word, fields.node);
      const during = async (work) => {
        if (form.ariaBusy === "true") return;
        form.ariaBusy = "true";
        say(word, null);
        say(save, () => t("saving"));
        try {
          await work();
        } catch (error) {
          if (isAbort(error)) return;
          if (!(error instanceof Refused)) throw error;
          if (error.status === 404) say(word, () => t("gone"));
          else if (error.status === 412) say(word, () => t("changedMeanwhile"));
          else if (error.problem.references) say(word, () => referencedText(error));
          else say(word, showFaults({ "": fields }, error));
        } finally {
          form.ariaBusy = "false";
          say(save, () => t("save"));
        }
      };
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        during(async () => {
          const values = fields.read();
          if (!thing) {
            close({
              saved: (
                await ask("POST", PATHS[kind], {
                  body: { ...values, ...extra },
                  key: keyFor(key, values),
                  signal: ending.signal,
                })
              ).data,
            });
            return;
          }
          const changes = Object.fromEntries(
            [...fields.named.keys()]
              .filter((each) => differs(each, values[each], thing[each]))
              .map((each) => [each, values[each] ?? null]),
          );
          const saved = await saveChanges(kind, thing, changes, { signal: ending.signal, fields: fields.named });
          if (saved) {
            toast(() => t("saved"));
            close({ saved });
          }
        });
      });
      const away = () =>
        during(async () => {
          try {
            if (await remove(kind, thing, name(), ending.signal)) close({ deleted: true });
          } catch (error) {
            if (error.status === 412) {
              thing = await get(`${PATHS[kind]}/${thing.id}`, ending.signal);
              fields.write(thing);
            }
            throw error;
          }
        });
      form.append(
        h(
          "footer",
          {},
          thing &&
            h(
              "button",
              { type: "button", class: "pill danger-quiet", "data-key": "delete", onclick: away },
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

/** A key that stays for the same values and is another one for others: the API refuses one key for two requests. */
const keyFor = (key, values) => {
  let sum = 0;
  for (const char of JSON.stringify(values)) sum = (Math.imul(sum, 31) + char.codePointAt(0)) >>> 0;
  return `${key}-${sum.toString(16)}`;
};

export { keyFor };

/**
 * Known things under an input while it is typed in: a combobox with a list. load(text, signal) gives things,
 * line(thing) the two texts of an entry, pick(thing) takes one.
 */
export function suggest(input, load, line, pick) {
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
  let things = [];
  let at = -1;
  let asking;
  let timer;
  const mark = (index) => {
    at = index;
    [...list.children].forEach((option, i) => {
      option.setAttribute("aria-selected", String(i === at));
      if (i === at) option.scrollIntoView({ block: "nearest" });
    });
    if (at < 0) input.removeAttribute("aria-activedescendant");
    else input.setAttribute("aria-activedescendant", `${id}-${at}`);
  };
  const show = (found) => {
    things = found;
    list.replaceChildren(
      ...found.map((thing, i) => {
        const [first, second] = line(thing);
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
    asking?.abort();
    show([]);
  };
  const take = (index) => {
    const thing = things[index];
    stop();
    pick(thing);
  };
  input.addEventListener("input", () => {
    clearTimeout(timer);
    asking?.abort();
    const text = input.value.trim();
    if (text.length < 2) return show([]);
    timer = setTimeout(async () => {
      asking = new AbortController();
      try {
        show(await load(text, asking.signal));
      } catch (error) {
        // Suggestions are a comfort: a refused one (400 for odd text) leaves the field as it is.
        if (!isAbort(error)) show([]);
      }
    }, 160);
  });
  input.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    if (event.key === "ArrowDown") mark((at + 1) % things.length);
    else if (event.key === "ArrowUp") mark((at <= 0 ? things.length : at) - 1);
    else if (event.key === "Enter" && at >= 0) take(at);
    else if (event.key === "Escape") stop();
    else return;
    event.preventDefault();
  });
  input.addEventListener("blur", stop);
}
