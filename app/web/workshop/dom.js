// Elements whose words follow the language: a function given as a child or an attribute is run again by refreshWords().
const bindings = new WeakMap();

function bind(node, run) {
  const runs = bindings.get(node);
  if (runs) runs.push(run);
  else bindings.set(node, [run]);
  run();
}

function set(element, name, value) {
  if (value === false || value === null || value === undefined) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? "" : value);
}

/** An element with attributes (on…: listeners) and children; data only ever becomes text, never markup. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (typeof value === "function") bind(element, () => set(element, name, value()));
    else set(element, name, value);
  }
  element.append(...children.filter((child) => child || child === 0).map(textual));
  return element;
}

function textual(child) {
  if (typeof child !== "function") return child;
  const text = document.createTextNode("");
  bind(text, () => {
    text.data = child() ?? "";
  });
  return text;
}

/** Puts this text, or a function that gives it, into an element. */
export function say(element, text) {
  element.replaceChildren(...(text ? [textual(text)] : []));
}

/** Gives an element that is in index.html words of the chosen language. */
export function adopt(element, attribute, text) {
  if (attribute) bind(element, () => set(element, attribute, text()));
  else say(element, text);
}

/** Runs every bound text and attribute in the document again: after a switch of the language, or as time goes by. */
export function refreshWords() {
  const walker = document.createTreeWalker(document, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
  for (let node = walker.currentNode; node; node = walker.nextNode()) for (const run of bindings.get(node) ?? []) run();
}

/** A drawing of the sprite in index.html; it says nothing, the words beside it do. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** Runs a change of the page and gives the focus back to the element with the same data-key, if the change took it. */
export function keepFocus(change) {
  const key = document.activeElement?.dataset?.key;
  change();
  if (key && document.activeElement?.dataset?.key !== key) focusKey(key);
}

/** Focuses the element with this data-key; false when there is none. */
export function focusKey(key) {
  const found = document.querySelector(`[data-key="${CSS.escape(key)}"]`);
  found?.focus();
  return Boolean(found);
}

/** Makes these nodes the children of a list, touching only what differs, so that focus and animations stay. */
export function arrange(list, nodes) {
  const wanted = new Set(nodes);
  for (const child of [...list.children]) if (!wanted.has(child)) child.remove();
  nodes.forEach((node, i) => {
    if (list.children[i] !== node) list.insertBefore(node, list.children[i] ?? null);
  });
}

export const isTyping = (element) => Boolean(element?.matches?.("input, textarea, select"));
