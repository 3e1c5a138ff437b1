import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../../ops/lib/paths.ts";
import { exercises, pattern, plain } from "../lib/exercises.ts";

test("a marked block is a command, and the text block after it its output", () => {
  const page =
    "```sh\nnot me\n```\n\n```sh belajar\nquiet\n```\n\nWords.\n\n```sh belajar\na\nb\n```\n\n```text\n1 …\n2\n```\n";
  expect(exercises(page)).toEqual([
    { command: "quiet", expected: undefined },
    { command: "a\nb", expected: "1 …\n2" },
  ]);
});

test("… in the expected output is any text of its line; everything else is as it stands", () => {
  expect(plain("   1 x.y  \r\n2\r\n")).toMatch(pattern("1 …\n2"));
  expect("1 x\n3").not.toMatch(pattern("1 …\n2"));
  expect("1 x\nmore\n2").not.toMatch(pattern("1 …\n2"));
  expect("0.4").toMatch(pattern("0.…"));
  expect("004").not.toMatch(pattern("0.…"));
});

test("every term of docs/belajar.md has a command whose output the page shows", () => {
  const page = readFileSync(join(root, "docs/belajar.md"), "utf8");
  const chapters = page.split(/^## /m).filter((chapter) => /^\d/.test(chapter));
  expect(chapters.map((chapter) => chapter.split("\n")[0])).toEqual([
    "1. Web server",
    "2. Reverse proxy",
    "3. Load balancer",
    "4. Upstream",
    "5. Failover",
    "6. AOF",
    "7. p95",
  ]);
  for (const chapter of chapters) expect(exercises(chapter).some(({ expected }) => expected)).toBe(true);
});
