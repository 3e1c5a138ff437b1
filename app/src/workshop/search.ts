import { type RawBuilder, sql } from "kysely";

export type Condition = RawBuilder<boolean>;

/**
 * A value that the planner does not see. The plan is then the same for each value, and PostgreSQL keeps it for a prepared statement;
 * for a value that it sees, a plan can seem cheaper only because it expects one row less.
 */
export const hidden = (value: unknown, type: "bigint" | "text") => sql`(select ${value}::${sql.raw(type)})`;

/**
 * One way in which a row can match a search. A list is the UNION of its branches; each branch uses one index.
 * `sortAfterFilter`: collect all matches first, then sort them. Use it when matches are neighbours in the sort order
 * (all customers named "Wayan"): scanning the sort index would read almost the whole table before it fills one page.
 * `scanFirst`: before that, test the first rows of the list; for an order whose index has every column of the condition. Where matches
 * are at random places (one customer of 50 is a "Santoso"), these rows fill a page.
 */
export interface Branch {
  readonly where: Condition;
  readonly sortAfterFilter?: boolean;
  readonly scanFirst?: boolean;
}

/** The branches for a text in a list that is sorted by a field, or undefined for none. */
export type Search = (q: string, sort: string) => Branch[] | undefined;

/** A trigram index selects rows by three letters or digits in a row. */
const SELECTIVE = /[\p{L}\p{N}]{3}/u;
const ANY = /[\p{L}\p{N}]/u;
const LETTERS = /^\p{L}+$/u;
const NUMBER = /^(?=.*\d)[\d +().-]+$/;
const PLATE = /^[a-z]{1,2}\s*\d{1,4}\s*[a-z]{0,3}$/i;
/** A plate, or a part of one, between other words. */
const PLATE_WITHIN = /(?<!\S)(?:[a-z]{1,2}[\s.-]*\d{1,4}(?:[\s.-]*[a-z]{1,3})?|\d{1,4}[\s.-]*[a-z]{1,3})(?!\S)/gi;
/** Words with these lengths can have a typing error: too many words are one letter away from a shorter one. */
const MISTAKABLE = /^\p{L}{4,15}$/u;
/** The most words of a text with typing errors: each one takes dozens of index scans. */
const MAX_SIMILAR_WORDS = 4;

const escaped = (text: string) => text.replace(/[\\%_]/g, "\\$&");
const compact = (text: string) => text.toLowerCase().replace(/[^a-z0-9]/g, "");
/** The same phone number can be stored as 0812... or +62812... */
const PHONE_START = /^(?:0|62)(?=\d{5})/;
const allDigits = (text: string) => text.replace(/\D/g, "");
/** A phone number's digits without its beginning. */
const digitsOf = (text: string) => allDigits(text).replace(PHONE_START, "");
/** The pattern of texts that contain a word. A word that is not selective has to begin one, and so have two in a row. */
const partOf = (word: string) => `${SELECTIVE.test(word) && !word.includes(" ") ? "%" : "% "}${escaped(word)}%`;
const all = (conditions: Condition[]): Condition => sql`(${sql.join(conditions, sql` and `)})`;
const any = (conditions: Condition[]): Condition => sql`(${sql.join(conditions, sql` or `)})`;

/** The words to find, in small letters. A plate or a phone number is one word, however it is spaced. */
function wordsOf(q: string): string[] {
  if (PLATE.test(q)) return [compact(q)];
  if (NUMBER.test(q)) return [digitsOf(q)];
  const words = q.toLowerCase().split(/\s+/);
  return words.filter((word) => ANY.test(word)).map((word) => (NUMBER.test(word) ? digitsOf(word) : word));
}

/**
 * The words of a text, and those of its other reading: "is 350" is the plate IS350, or a model; "wayan 77 zz" has three words, or two with the plate
 * DK77ZZ.
 */
export function readings(q: string): string[][] {
  const words = wordsOf(q);
  const others = PLATE.test(q)
    ? [q.toLowerCase().replace(/\s+/g, " ")]
    : wordsOf(q.replace(PLATE_WITHIN, (plate) => compact(plate)));
  return others.join() === words.join() ? [words] : [words, others];
}

/** Rows that have every word of a reading in a key. */
const everyWord = (key: RawBuilder<unknown>, q: string): Branch[] =>
  readings(q).map((words) => {
    const sortAfterFilter = words.some((word) => SELECTIVE.test(word) || word.includes(" "));
    const pattern = (word: string) => (sortAfterFilter ? hidden(partOf(word), "text") : sql`${partOf(word)}`);
    return { where: all(words.map((word) => sql`${key} like ${pattern(word)}`)), sortAfterFilter };
  });

const customerKey = sql`t.search_key`;
/** The expression of the index vehicles_search. */
const vehicleKey = (table: "t" | "v") =>
  sql`(${sql.ref(`${table}.model_key`)} || ' ' || lower(${sql.ref(`${table}.plate_key`)}) || ' ')`;

/** Texts that begin with `start`, in byte order; no character is above the last one. */
const beginsWith = (column: RawBuilder<unknown>, start: string): Condition =>
  sql`(${column} >= ${hidden(start, "text")} and ${column} < ${hidden(`${start}\u{10ffff}`, "text")})`;

/**
 * The ways in which a customer can match a text. A phone number with its first digits is searched from its beginning. A word of letters
 * is searched in names and cars alone: the e-mail addresses would double the work, because they repeat the names.
 *
 * @param sort the field by which the list is sorted
 */
export function searchCustomers(q: string, sort: string): Branch[] {
  const words = wordsOf(q);
  const [word = ""] = words;
  if (NUMBER.test(q) && PHONE_START.test(allDigits(q)))
    return [
      {
        where: any(["0", "62", ""].map((first) => beginsWith(sql`t.phone_digits`, first + word))),
        sortAfterFilter: true,
      },
    ];
  if (words.length > 1 || !LETTERS.test(word)) return everyWord(customerKey, q);
  const name = (pattern: string): Condition => sql`t.name_key like ${pattern}`;
  const names: Branch[] = SELECTIVE.test(word)
    ? [
        { where: name(`${word}%`) },
        { where: sql`substr(t.name_key, 2) like ${partOf(word)}`, sortAfterFilter: true, scanFirst: sort === "name" },
      ]
    : [{ where: name(`${word}%`) }, { where: name(partOf(word)) }];
  const owned = sql`select from vehicles v where v.customer_id = t.id and ${vehicleKey("v")} like ${partOf(word)}`;
  return [...names, { where: sql`exists (${owned})` }];
}

/** The ways in which a vehicle can match a text; `sort` as for customers. */
export function searchVehicles(q: string, sort: string): Branch[] {
  const words = wordsOf(q);
  const [word = ""] = words;
  if (words.length > 1 || !LETTERS.test(word)) return everyWord(vehicleKey("t"), q);
  if (sort === "plate" && SELECTIVE.test(word))
    return [
      { where: sql`${vehicleKey("t")} like ${hidden(partOf(word), "text")}`, sortAfterFilter: true, scanFirst: true },
    ];
  return [{ where: sql`${vehicleKey("t")} like ${partOf(word)}` }];
}

/** For a text that matches nothing: each word in any key, also in e-mail addresses, or with one typing error. */
export const similarCustomers = (q: string): Branch[] | undefined => similar(customerKey, q);
export const similarVehicles = (q: string): Branch[] | undefined => similar(vehicleKey("t"), q);

function similar(key: RawBuilder<unknown>, q: string): Branch[] | undefined {
  const words = wordsOf(q);
  if (words.length > MAX_SIMILAR_WORDS || !words.some((word) => LETTERS.test(word) && SELECTIVE.test(word)))
    return undefined;
  const has = (pattern: string): Condition => sql`${key} like ${pattern}`;
  const patterns = (word: string) => [partOf(word), ...(MISTAKABLE.test(word) ? oneLetterOff(word) : [])];
  return [{ where: all(words.map((word) => any(patterns(word).map(has)))), sortAfterFilter: true }];
}

/**
 * LIKE patterns that match, between spaces, each word of which `word` is one typing error away: a wrong letter, one too many,
 * one too few, or two exchanged. A pattern without three letters in a row has to match a whole word, whose ends are selective
 * as well.
 *
 * @param word letters only
 */
export function oneLetterOff(word: string): string[] {
  const letters = [...word];
  const made = letters.flatMap((letter, i) => {
    const before = letters.slice(0, i).join("");
    const [next = "", ...rest] = letters.slice(i + 1);
    const after = next + rest.join("");
    return [
      `${before}_${after}`,
      before + after,
      `${before}_${letter}${after}`,
      before + next + letter + rest.join(""),
    ];
  });
  const others = new Set(made.filter((pattern) => pattern !== word));
  return [...others].map((pattern) => (SELECTIVE.test(pattern) ? `% ${pattern}%` : `% ${pattern} %`));
}
