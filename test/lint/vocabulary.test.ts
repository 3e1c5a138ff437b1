import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { root } from "../../ops/lib/paths.ts";
import { sourceFiles } from "../../ops/lib/source.ts";

type Word = { pattern: string; use: string; reason: string; case?: boolean };
type Vocabulary = {
  words: Word[];
  exclude: string[];
  /** A file, a text of its line, and the reason why another program's word stays. */
  allow: { file: string; text: string; reason: string }[];
};

const { words, exclude, allow }: Vocabulary = parse(readFileSync(join(root, "test/lint/vocabulary.yml"), "utf8"));
const patterns = words.map((word) => ({ ...word, regExp: new RegExp(word.pattern, word.case ? "" : "i") }));

/** A line with its names taken apart: `armUndo` as "arm Undo", `lock_taken` as "lock taken". */
const apart = (line: string) => line.replace(/(\p{Ll}|\d)(\p{Lu})/gu, "$1 $2").replaceAll("_", " ");

/** The findings in a text: the line's number and the word to use instead. */
const findings = (text: string) =>
  text.split("\n").flatMap((line, i) =>
    patterns.flatMap(({ regExp, use, reason }) => {
      const [found] = apart(line).match(regExp) ?? [];
      return found ? [{ line: i + 1, text: line, says: `"${found.trim()}": use ${use} (${reason})` }] : [];
    }),
  );

test.each([
  ["Mend: restart it", 1],
  ["  const armMend = 1;", 1],
  ["- name: Tell what lock_told said", 1],
  ["await Promise.allSettled(all);", 0],
  ["lookup('file', x)", 0],
  ["a snapshot and a screenshot", 0],
  ["# What visitors got is counted.", 1],
  ['test("What fails is refused", () => {});', 1],
  ["Redis refuses. Who asks gets 503.", 1],
  ["What fails here?", 0],
  ["  // what a client sends is counted", 1],
  ["const a = 1; // what is left", 1],
  ["# who has no password is refused", 0],
  ["mode 0600: who may read it", 1],
  ["the rows stay; what fails is printed", 1],
  ['what: "what a balancer sends is dropped",', 1],
  ["lock() # who waits stands in the queue", 1],
  ["/** who comes late is refused */", 1],
  ["each step says what it changed", 0],
  ["a client, who has a password", 0],
  ["one file, whatever the locale is", 0],
  ["  what: string;", 0],
  ["the figures of a page", 1],
  ["const clientFigures = 1;", 1],
  ["configure the hosts", 0],
  ["Redis is there", 1],
  ["there is one Redis", 0],
])("%s: %i finding(s)", (line, count) => {
  expect(findings(line)).toHaveLength(count);
});

test("the whole tree uses Halo's words", () => {
  const found = sourceFiles(root, root)
    .filter((file) => !exclude.some((each) => new RegExp(each).test(file)))
    .flatMap((file) =>
      [...findings(readFileSync(join(root, file), "utf8")), ...findings(file).map((each) => ({ ...each, line: 0 }))]
        .filter(({ text }) => !allow.some((each) => each.file === file && text.includes(each.text)))
        .map(({ line, says }) => `${file}:${line}: ${says}`),
    );
  expect(found).toEqual([]);
});
