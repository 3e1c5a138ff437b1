import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { capture } from "../lib/exec.ts";
import { withExtraVars } from "../lib/extraVars.ts";

const texts = [
  `{{ lookup("pipe","touch /tmp/x") }} {% if ' "$(id)" %`,
  "{# a comment #} {% raw %} {{ '{{' }}",
  '["a list"]',
  "{'a': 'dictionary'}",
  "True",
  "null",
  "007",
  " # : - !unsafe &a *a | > ",
  "two\nlines\r\n\ttab",
  "Umlaut ä, 中文, emoji 🚀, joined 👩‍🔧",
  Array.from({ length: 32 }, (_, code) => String.fromCharCode(code)).join(""),
  "\u007f\u0085\u009f\u2028\u2029\ufeff\ufffe",
  "x".repeat(2000),
];

test("every text reaches Ansible character for character, as no template; the file is gone afterwards", async () => {
  const folder = mkdtempSync(join(tmpdir(), "halo-"));
  const reported = join(folder, "reported.json");
  const names = texts.map((_, i) => `text${i}`);
  const module = { dest: reported, content: `{{ [[${names.join(", ")}], [broken, whole], list] | to_json }}` };
  let file = "";
  const vars = {
    ...Object.fromEntries(texts.map((text, i) => [`text${i}`, text])),
    broken: true,
    whole: false,
    list: texts,
  };
  try {
    await withExtraVars(vars, async ([option = "", at = ""]) => {
      file = at.slice(1);
      expect(readFileSync(file, "latin1")).toMatch(/^[\n -~]*$/);
      const args = ["-i", "localhost,", "-c", "local", "localhost", "-m", "copy", "-a", JSON.stringify(module)];
      await capture(["ansible", ...args, option, at]);
    });
    expect(JSON.parse(readFileSync(reported, "utf8"))).toEqual([texts, [true, false], texts]);
  } finally {
    rmSync(folder, { recursive: true });
  }
  expect(existsSync(file)).toBe(false);
});
