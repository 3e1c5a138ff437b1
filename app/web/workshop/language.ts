import { recall, remember } from "../shared/setting.ts";
import { refreshWords } from "./dom.ts";
import { type Words, words } from "./words.ts";

const LOCALES = { id: "id-ID", en: "en-GB" };
export type Language = keyof typeof LOCALES;
type Arguments<Key extends keyof Words> = Words[Key] extends (...args: infer Args) => string ? Args : [];

let language: Language = recall("language") === "en" ? "en" : "id";
let formats = formatsOf(language);

/** The text for a key in the chosen language, made from its arguments. */
export function t<Key extends keyof Words>(key: Key, ...args: Arguments<Key>): string {
  return textFor(key, ...args) ?? "";
}

/** The text for a key that is known only at run time; undefined without one. */
export function textFor(key: string, ...args: unknown[]): string | undefined {
  const text = (words[language] as Record<string, unknown>)[key];
  return typeof text === "function" ? text(...args) : (text as string | undefined);
}

export const currentLanguage = (): Language => language;

export function setLanguage(wanted: Language): void {
  language = wanted;
  formats = formatsOf(wanted);
  remember("language", wanted);
  document.documentElement.lang = wanted;
  refreshWords();
}

function once<Value>(make: () => Value): () => Value {
  let made: Value | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** Each is made at its first use: all of them together cost a slow phone a third of a second before the first paint. */
function formatsOf(wanted: Language) {
  const locale = LOCALES[wanted];
  const rupiah = (digits: number) =>
    new Intl.NumberFormat(locale, {
      style: "currency",
      currency: "IDR",
      currencyDisplay: "narrowSymbol",
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    });
  const unit = (name: string) => new Intl.NumberFormat(locale, { style: "unit", unit: name, unitDisplay: "long" });
  const date = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat(locale, options);
  return {
    whole: once(() => rupiah(0)),
    exact: once(() => rupiah(2)),
    plain: once(() => new Intl.NumberFormat(locale, { maximumFractionDigits: 2 })),
    quantity: once(() => new Intl.NumberFormat(locale, { maximumFractionDigits: 3, useGrouping: false })),
    time: once(() => date({ hour: "2-digit", minute: "2-digit" })),
    fullDay: once(() => date({ weekday: "long", day: "numeric", month: "long", year: "numeric" })),
    day: once(() => date({ day: "numeric", month: "short", year: "numeric" })),
    shortDay: once(() => date({ day: "numeric", month: "short" })),
    weekday: once(() => date({ weekday: "short", day: "numeric", month: "numeric" })),
    month: once(() => date({ month: "long" })),
    minute: once(() => unit("minute")),
    hour: once(() => unit("hour")),
    days: once(() => unit("day")),
  };
}

/** An amount of the API ("150000.00") in the usual notation: Rp 150.000. Exact: the decimal text is not made a number. */
export const money = (amount: string): string =>
  formats[/\.0*[1-9]/.test(amount) ? "exact" : "whole"]().format(amount as `${number}`);
/** A quantity of the API ("2.500") without its last zeros: 2,5. */
export const quantity = (amount: string): string => formats.quantity().format(amount as `${number}`);
/**
 * Converts a quantity as typed ("2,5") for the API; returns any other text unchanged. "1.500" is 1500 as an Indonesian price is written, and 1.5
 * for the API: such a text becomes one that the API refuses.
 */
export function parseQuantity(typed: string, spoken = language): string {
  const [, whole = "", sign, digits = ""] = /^(\d*)([.,])(\d+)$/.exec(typed) ?? [];
  if (!sign) return typed;
  const ofThousands = sign === (spoken === "id" ? "." : ",") && /^[1-9]\d{0,2}$/.test(whole) && digits.length === 3;
  return ofThousands ? `${whole}${digits} or ${whole}.${digits}` : `${whole || 0}.${digits}`;
}
export const plainNumber = (amount: string): string => formats.plain().format(amount as `${number}`);

/** The exact sum of amounts, in the API's format. */
export function sum(amounts: string[]): string {
  const cents = amounts
    .reduce((all, amount) => all + BigInt(amount.replace(".", "")), 0n)
    .toString()
    .padStart(3, "0");
  return `${cents.slice(0, -2)}.${cents.slice(-2)}`;
}

/** The zeros that a word behind an amount stands for. */
const ZEROS: Record<string, number> = { rb: 3, ribu: 3, k: 3, jt: 6, juta: 6 };

/** A whole number, plain or in groups of three digits with one sign between them, and two decimals at most behind the other sign. */
const AMOUNTS = [
  /^(\d+)(?:[.,](\d{1,2}))?$/,
  /^([1-9]\d{0,2}(?:\.\d{3})+)(?:,(\d{1,2}))?$/,
  /^([1-9]\d{0,2}(?:,\d{3})+)(?:\.(\d{1,2}))?$/,
];

/** The digits of an amount before its point, and those after it; neither of a text that is no amount. */
function splitAmount(text: string): { whole?: string; cents?: string } {
  const [, whole, cents] = AMOUNTS.map((each) => each.exec(text)).find(Boolean) ?? [];
  return { ...(whole && { whole: whole.replace(/[.,]/g, "") }), ...(cents && { cents }) };
}

/**
 * Converts an amount as typed in either language ("150.000", "1,500.50", "350rb", "1,5jt", "350.000,-") for the API; returns any
 * other text without its spaces and currency.
 */
export function parseMoney(typed: string): string {
  const text = typed.replace(/rp\.?|idr|\s/gi, "").replace(/[.,][-\u2013\u2014]+$/, "");
  const short = /^(\d+)(?:[.,](\d+))?(rb|ribu|k|jt|juta)$/i.exec(text);
  if (short) {
    const [, whole = "", fraction = "", word = ""] = short;
    const zeros = ZEROS[word.toLowerCase()] ?? 0;
    if (fraction.length > zeros) return text;
    // 1.250rb is 1250 thousand: three digits behind a separator are a group of thousands.
    const digits =
      zeros === 3 && fraction.length === 3 ? `${whole}${fraction}000` : whole + fraction.padEnd(zeros, "0");
    return digits.replace(/^0+(?=\d)/, "");
  }
  const { whole, cents } = splitAmount(text);
  if (whole === undefined) return text;
  return cents ? `${whole}.${cents}` : whole;
}

/** Converts kilometres as typed ("45.000", "125 000 km") for the API; returns any other text unchanged, which the API refuses. */
export function parseKilometres(typed: string): number | string {
  const { whole, cents } = splitAmount(typed.replace(/\s*km\.?$/i, "").replace(/\s/g, "."));
  return whole !== undefined && cents === undefined ? Number(whole) : typed;
}

export const time = (at: string | Date): string => formats.time().format(new Date(at));
export const fullDay = (at: string | Date): string => formats.fullDay().format(new Date(at));
export const day = (at: string | Date): string => formats.day().format(new Date(at));
export const shortDay = (at: string | Date): string => formats.shortDay().format(new Date(at));
export const weekday = (at: Date): string => formats.weekday().format(at);
export const monthName = (at: Date): string => formats.month().format(at);
export const dateTime = (at: string | Date): string => `${day(at)}, ${time(at)}`;

/** A duration in its largest unit: 35 menit, 2 jam, 3 hari. */
export function duration(ms: number): string {
  const minutes = Math.max(1, Math.floor(ms / 60_000));
  if (minutes < 60) return formats.minute().format(minutes);
  if (minutes < 24 * 60) return formats.hour().format(Math.floor(minutes / 60));
  return formats.days().format(Math.floor(minutes / 1440));
}
