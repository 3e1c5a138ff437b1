import { refreshWords } from "./dom.js";
import { words } from "./words.js";

const LOCALES = { id: "id-ID", en: "en-GB" };
let language = recall("language") === "en" ? "en" : "id";
let formats = formatsOf(language);

/** A remembered setting, or null. Storage can be refused: then nothing is remembered. */
export function recall(key) {
  try {
    return localStorage.getItem(`workshop.${key}`);
  } catch {
    return null;
  }
}

export function remember(key, value) {
  try {
    localStorage.setItem(`workshop.${key}`, value);
  } catch {
    // The page works without a memory.
  }
}

/** The word for a key in the chosen language, made with the arguments it needs; undefined when there is none. */
export function t(key, ...args) {
  const word = words[language][key];
  return typeof word === "function" ? word(...args) : word;
}

export const currentLanguage = () => language;

export function setLanguage(wanted) {
  language = wanted;
  formats = formatsOf(wanted);
  remember("language", wanted);
  document.documentElement.lang = wanted;
  refreshWords();
}

function formatsOf(wanted) {
  const locale = LOCALES[wanted];
  const rupiah = (digits) =>
    new Intl.NumberFormat(locale, {
      style: "currency",
      currency: "IDR",
      currencyDisplay: "narrowSymbol",
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    });
  const unit = (name) => new Intl.NumberFormat(locale, { style: "unit", unit: name, unitDisplay: "long" });
  const date = (options) => new Intl.DateTimeFormat(locale, options);
  return {
    whole: rupiah(0),
    exact: rupiah(2),
    plain: new Intl.NumberFormat(locale, { maximumFractionDigits: 2 }),
    time: date({ hour: "2-digit", minute: "2-digit" }),
    fullDay: date({ weekday: "long", day: "numeric", month: "long", year: "numeric" }),
    day: date({ day: "numeric", month: "short", year: "numeric" }),
    shortDay: date({ day: "numeric", month: "short" }),
    minute: unit("minute"),
    hour: unit("hour"),
    days: unit("day"),
  };
}

/** An amount of the API ("150000.00") as people write it: Rp 150.000. Exact, since it never becomes a number here. */
export const money = (amount) => formats[/\.0*[1-9]/.test(amount) ? "exact" : "whole"].format(amount);
export const plainNumber = (amount) => formats.plain.format(amount);

/** An amount as typed in either language ("150.000", "1,500.50") as the API wants it; otherwise what was typed. */
export function parseMoney(typed) {
  const text = typed.replace(/rp|idr|\s/gi, "");
  const parts = /^(\d[\d.,]*?)(?:[.,](\d{1,2}))?$/.exec(text);
  if (!parts) return text;
  const whole = parts[1].replace(/[.,]/g, "");
  return parts[2] ? `${whole}.${parts[2]}` : whole;
}

export const time = (at) => formats.time.format(new Date(at));
export const fullDay = (at) => formats.fullDay.format(new Date(at));
export const day = (at) => formats.day.format(new Date(at));
export const shortDay = (at) => formats.shortDay.format(new Date(at));
export const dateTime = (at) => `${day(at)}, ${time(at)}`;

/** A length of time in its largest unit: 35 menit, 2 jam, 3 hari. */
export function duration(ms) {
  const minutes = Math.max(1, Math.floor(ms / 60_000));
  if (minutes < 60) return formats.minute.format(minutes);
  if (minutes < 24 * 60) return formats.hour.format(Math.floor(minutes / 60));
  return formats.days.format(Math.floor(minutes / 1440));
}
