import { LOCALES, type PlainKey, type Words, words } from "../../../src/visits/words.ts";
import { recall, remember } from "../../shared/setting.ts";

export type Language = keyof typeof LOCALES;
type Arguments<Key extends keyof Words> = Words[Key] extends (...args: infer Args) => string ? Args : [];

let language: Language = recall("language") === "en" ? "en" : "id";

export const currentLanguage = (): Language => language;

/** The text for a key in the chosen language, made from its arguments. */
export function t<Key extends keyof Words>(key: Key, ...args: Arguments<Key>): string {
  const text: string | ((...args: string[]) => string) = words[language][key];
  return typeof text === "function" ? text(...(args as string[])) : text;
}

/** A whole number in the notation of the chosen language; without Intl, whose first use costs a slow phone a quarter of a second. */
export const count = (number: number): string =>
  String(number).replace(/\B(?=(?:\d{3})+$)/g, language === "id" ? "." : ",");

/** Names as one text: "a, b, and c". */
export const list = (names: string[]): string => new Intl.ListFormat(LOCALES[language]).format(names);

/** Makes the text for a key the content of an element, now and in another language. */
export function label(element: HTMLElement, key: PlainKey): void {
  element.dataset.t = key;
  element.textContent = t(key);
}

/** Chooses the language, and translates the elements that the server rendered. */
export function setLanguage(wanted: Language): void {
  language = wanted;
  remember("language", wanted);
  document.documentElement.lang = wanted;
  for (const element of document.querySelectorAll<HTMLElement>("[data-t]"))
    label(element, element.dataset.t as PlainKey);
  for (const element of document.querySelectorAll<HTMLElement>("[data-t-label]"))
    element.setAttribute("aria-label", t(element.dataset.tLabel as PlainKey));
  for (const element of document.querySelectorAll<HTMLElement>("[data-t-title]"))
    element.title = t(element.dataset.tTitle as PlainKey);
  for (const button of document.querySelectorAll<HTMLElement>("[data-language]"))
    button.setAttribute("aria-pressed", String(button.dataset.language === wanted));
}
