import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseAst } from "vitest/node";
import { parse } from "yaml";
import { root } from "../../ops/lib/paths.ts";
import { sourceFiles } from "../../ops/lib/source.ts";

/** A file, a text of the program in it, and the reason why it stays in a string. */
const accepted: { file: string; text: string; reason: string }[] = parse(
  readFileSync(join(root, "test/lint/programs.yml"), "utf8"),
);

// A program of the language has at least one such line.
const languages: Record<string, RegExp> = {
  nft: /^ *(table (inet|ip|ip6) \w+|chain \w+) \{/m,
  Python: /^ *(import \w+(, \w+)*$|from \w+ import |def \w+\(|with open\()/m,
  SQL: /^ *(select|insert into|delete from|update \w+ set|create (or replace )?(table|function|view)|alter table|lock table|with \w+ as \()\b/im,
  JavaScript: /^ *(const|let) [\w{[].* = |^ *import .* from "|=> *[{(]|\b(document|window|require)[.(]\w/m,
  shell:
    /<<-?'?[A-Z]+|^ *(cd|cp|rm|mv|set|tar|sed|cat|nft|grep|echo|mkdir|chmod|touch|printf|install|systemd-run|systemctl|journalctl|runuser|halo-[a-z]+|redis-cli|until .*; do|while .*; do|for \w+ in .*; do|if \[|\[ .*\] (\|\||&&)|\w+=("?\$\(|\/)) */m,
};

type Node = { type: string; start: number; [key: string]: unknown };
const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null && "type" in value;

/** The strings of a program, each with its place; an expression in a template counts as one character. */
function* stringsOf(node: Node): Generator<{ start: number; text: string }> {
  // kysely's: it binds the values, so that the statement has to stand where they are.
  if (node.type === "TaggedTemplateExpression" && (node.tag as Node).name === "sql") return;
  if (node.type === "Literal" && typeof node.value === "string") yield { start: node.start, text: node.value };
  if (node.type === "TemplateLiteral")
    yield {
      start: node.start,
      text: (node.quasis as { value: { cooked: string } }[]).map(({ value }) => value.cooked).join("0"),
    };
  for (const value of Object.values(node))
    for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) yield* stringsOf(child);
}

/** The programs of several lines in the strings of a TypeScript text: the number of the line, the language, the program. */
const findings = (source: string) =>
  [...stringsOf(parseAst(source, { lang: "ts" }) as unknown as Node)].flatMap(({ start, text }) => {
    if (text.split("\n").filter((line) => line.trim() && !line.startsWith("#!")).length < 2) return [];
    const [language] = Object.entries(languages).find(([, pattern]) => pattern.test(text)) ?? [];
    return language ? [{ line: source.slice(0, start).split("\n").length, language, text }] : [];
  });

test.each([
  ["on(host, `cd /x\nrm y`)", "shell"],
  ['on(host, "cd /x\\nrm y")', "shell"],
  ["on(host, `cat >x <<'END'\nz\nEND`)", "shell"],
  ["`table inet halo {\n}`", "nft"],
  ["rows(`SELECT name\nFROM customers`)", "SQL"],
  ["sql`select name\nfrom customers`", undefined],
  ["page.evaluate(`const a = 1;\nreturn a`)", "JavaScript"],
  ["python(`import sys\nprint(1)`)", "Python"],
  ["on(host, 'cd /x; rm y')", undefined],
  ["write(file, '#!/bin/sh\\necho y\\n')", undefined],
  ["console.log(`Up.\n  Then: npm run verify`)", undefined],
])("%s: %s", (source, language) => {
  expect(findings(source).map((each) => each.language)).toEqual(language ? [language] : []);
});

test("a program of several lines is in a file of its language, where linters see it", () => {
  const files = sourceFiles(root, root).filter((file) => file.endsWith(".ts"));
  const used = new Set<object>();
  const found = files.flatMap((file) => {
    if (file === "test/lint/programs.test.ts") return [];
    return findings(readFileSync(join(root, file), "utf8")).flatMap(({ line, language, text }) => {
      const reason = accepted.find((each) => each.file === file && text.includes(each.text));
      if (reason) used.add(reason);
      return reason ? [] : [`${file}:${line}: ${language}: ${text.trim().split("\n")[0]?.slice(0, 80)}`];
    });
  });
  expect(found, "Fix: move each to a file of its language (ops/lib/script.ts runs it)").toEqual([]);
  expect(accepted.filter((each) => !used.has(each))).toEqual([]);
});
