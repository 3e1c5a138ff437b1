// Elements whose texts follow the language: refreshWords() runs each function that was given as a child or an attribute.
const bindings = new WeakMap<Node, (() => void)[]>();

type Value = string | number | boolean | null | undefined;
/** A text, or a function that refreshWords() runs again. */
export type Text = string | (() => string | undefined);
export type Child = Node | Value | (() => Value);
/** Values, functions that give a value, and under on...: listeners. */
export type Attributes = Record<string, Value | (() => unknown)>;

function bind(node: Node, run: () => void): void {
  const runs = bindings.get(node);
  if (runs) runs.push(run);
  else bindings.set(node, [run]);
  run();
}

function set(element: Element, name: string, value: Value): void {
  if (value === false || value === null || value === undefined) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? "" : String(value));
}

/** Creates an element with attributes (on...: listeners) and children; data only ever becomes text, never markup. */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value !== "function") set(element, name, value);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), () => value());
    else bind(element, () => set(element, name, value() as Value));
  }
  element.append(...children.flatMap((child) => (child || child === 0 ? [textual(child)] : [])));
  return element;
}

function textual(child: Child): Node | string {
  if (child instanceof Node) return child;
  if (typeof child !== "function") return String(child);
  const text = document.createTextNode("");
  bind(text, () => {
    text.data = String(child() ?? "");
  });
  return text;
}

/** Makes this text the only content of an element; null empties it. */
export function setText(element: Element, text: Text | null | undefined): void {
  element.replaceChildren(...(text ? [textual(text)] : []));
}

/** Binds an element of index.html, or one attribute of it, to a text of the chosen language. */
export function bindText(element: Element, attribute: string | null, text: () => string): void {
  if (attribute) bind(element, () => set(element, attribute, text()));
  else setText(element, text);
}

/** Updates every bound text and attribute in the document: after a change of the language, or as time passes. */
export function refreshWords(): void {
  const walker = document.createTreeWalker(document, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
  for (let node: Node | null = walker.currentNode; node; node = walker.nextNode())
    for (const run of bindings.get(node) ?? []) run();
}

/** Creates an icon from the sprite in index.html; it is hidden from screen readers, because a text stands beside it. */
export function icon(name: string): SVGSVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

const keyOf = (element: Element | null) => (element instanceof HTMLElement ? element.dataset.key : undefined);

/**
 * Runs a change of the page. If the change takes the focus, the element with the same data-key gets it back; where that is gone, the next
 * one behind it that is still on the page, or the one before it, or the heading.
 */
export function keepFocus(change: () => void): void {
  const held = document.activeElement;
  const keys = [...document.querySelectorAll("[data-key]")].map((each) => keyOf(each) ?? "");
  const at = keys.indexOf(keyOf(held) ?? "");
  change();
  if (held === document.body || document.activeElement !== document.body) return;
  const candidates = at < 0 ? [] : [...keys.slice(at), ...keys.slice(0, at).reverse()];
  if (!candidates.some(focusKey)) focusHeading();
}

/** Focuses the page's heading where it is: the page does not scroll. */
export function focusHeading(): void {
  document.querySelector("h1")?.focus({ preventScroll: true });
}

/** Focuses the element with this data-key; false without one, or where it is hidden. */
export function focusKey(key: string): boolean {
  const found = document.querySelector<HTMLElement>(`[data-key="${CSS.escape(key)}"]`);
  found?.focus();
  return found !== null && document.activeElement === found;
}

/** Makes these nodes the children of a list. It changes only differences, so that focus and animations stay. */
export function arrange(list: Element, nodes: Element[]): void {
  const wanted = new Set(nodes);
  for (const child of [...list.children]) if (!wanted.has(child)) child.remove();
  nodes.forEach((node, i) => {
    if (list.children[i] !== node) list.insertBefore(node, list.children[i] ?? null);
  });
}

export const isTyping = (target: EventTarget | null): boolean =>
  target instanceof Element && target.matches("input, textarea, select");
