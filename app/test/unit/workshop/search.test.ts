import { describe, expect, it } from "vitest";
import { oneLetterOff, readings, similarCustomers, similarVehicles } from "../../../src/workshop/search.ts";

/** PostgreSQL's LIKE, for patterns without an escape. */
const like = (text: string, pattern: string) =>
  new RegExp(`^${pattern.replaceAll("%", ".*").replaceAll("_", ".")}$`, "u").test(text);
const finds = (typed: string, text: string) => oneLetterOff(typed).some((pattern) => like(` ${text} `, pattern));

/** Every text that is one typing error away from a word. */
function errors(word: string): string[] {
  const letters = [...word];
  const all = letters.flatMap((letter, i) => {
    const before = letters.slice(0, i).join("");
    const after = letters.slice(i + 1).join("");
    const [next = "", ...rest] = letters.slice(i + 1);
    return [
      `${before}q${after}`,
      before + after,
      `${before}q${letter}${after}`,
      before + next + letter + rest.join(""),
    ];
  });
  return [...new Set([...all, `${word}q`])].filter((each) => each !== word);
}

describe("a word with one typing error", () => {
  it.each(["budi", "wayan", "santoso", "avanza", "kusumawardhani"])("finds %s", (word) => {
    const long = errors(word).filter((typed) => typed.length >= 4);
    expect(long.length).toBeGreaterThan(2 * word.length);
    expect(long.filter((typed) => !finds(typed, word))).toEqual([]);
    expect(long.filter((typed) => !finds(typed, `sri ${word} lestari`))).toEqual([]);
  });

  it("does not find a word with two", () => {
    for (const [typed, word] of [
      ["bido", "budi"],
      ["sentuso", "santoso"],
      ["avnaaz", "avanza"],
    ] as const)
      expect([typed, finds(typed, word)]).toEqual([typed, false]);
  });

  it("has patterns that a trigram index can select by", () => {
    for (const pattern of oneLetterOff("budi")) expect(pattern).toMatch(/[a-z]{3}|^% \S+ %$/);
  });
});

it.each([
  ["IS 350", [["is350"], ["is 350"]]],
  ["cb  150 R", [["cb150r"], ["cb 150 r"]]],
  ["dk77", [["dk77"]]],
  [
    "wayan dk 1234 ab",
    [
      ["wayan", "dk", "1234", "ab"],
      ["wayan", "dk1234ab"],
    ],
  ],
  [
    "77 ZZ wayan",
    [
      ["77", "zz", "wayan"],
      ["77zz", "wayan"],
    ],
  ],
  ["dk-1234-ab", [["dk-1234-ab"], ["dk1234ab"]]],
  ["budi 1162", [["budi", "1162"]]],
  ["0812-3456 budi", [["8123456", "budi"]]],
  ["wayan agung", [["wayan", "agung"]]],
])("%s is read as %j", (q, expected) => expect(readings(q)).toEqual(expected));

it.each(["1162", "b 12 xy", "0812-3456", "ad", "a b c d e", "--"])(
  "a number, a plate, and short or many words are searched without typing errors (%s)",
  (q) => {
    expect([similarCustomers(q), similarVehicles(q)]).toEqual([undefined, undefined]);
  },
);
