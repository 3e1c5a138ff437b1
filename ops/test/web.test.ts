import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { buildWeb } from "../web/build.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "halo-web-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const source = {
  "desk/index.html": `<link rel="icon" href="icon.svg"><link rel="stylesheet" href="desk.css">
<script type="module" src="desk.ts"></script><a href="#/today"></a><a href="/api/"></a><a href="https://x.test/y"></a>`,
  "desk/icon.svg": "<svg/>",
  "desk/desk.css": "body { background: url(icon.svg) }",
  "desk/desk.ts": 'import { word } from "./words/id.ts"; console.log(word);',
  "desk/words/id.ts": 'export const word = "Bengkel";',
  "assets/page.css": '@import "../shared/base.css"; a { color: red }',
  "assets/page.ts": 'import { word } from "./parts/word.ts"; export const shown: string = word;',
  "assets/parts/word.ts": 'export { word } from "../../desk/words/id.ts";',
  "assets/icon.svg": "<svg/>",
  "shared/base.css": "b { color: blue }",
};

/** Builds the files into a folder of this name; resolves with its files, by their path. */
async function built(name: string, files: Record<string, string>): Promise<Record<string, Buffer>> {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, `${name}-from`, path)), { recursive: true });
    writeFileSync(join(folder, `${name}-from`, path), content);
  }
  const to = join(folder, name);
  await buildWeb(folder, join(folder, `${name}-from`), to);
  const paths = readdirSync(to, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(to.length + 1));
  return Object.fromEntries(paths.sort().map((path) => [path, readFileSync(join(to, path))]));
}

test("a site is its page, the files that the page names under a/ with a hash, and a .gz beside each; a folder without a page has its bundles and files under their own names", async () => {
  const files = await built("one", source);
  const hashed = Object.keys(files).filter((path) => path.startsWith("desk/a/"));
  expect(hashed.map((path) => path.replace(/\.[0-9A-Z]{8}\./, ".HASH.")).sort()).toEqual(
    ["css", "js", "svg"].flatMap((kind) => {
      const path = `desk/a/${kind === "svg" ? "icon" : "desk"}.HASH.${kind}`;
      return [path, `${path}.gz`];
    }),
  );
  expect(Object.keys(files).filter((path) => !hashed.includes(path))).toEqual([
    "assets/icon.svg",
    "assets/page.css",
    "assets/page.js",
    "desk/index.html",
    "desk/index.html.gz",
  ]);
  expect(String(files["assets/page.css"])).toMatch(/#00f.*red/s);
  expect(String(files["assets/page.js"])).toContain("Bengkel");
  for (const [path, bytes] of Object.entries(files))
    if (path.endsWith(".gz")) expect(gunzipSync(bytes)).toEqual(files[path.slice(0, -3)]);

  const page = String(files["desk/index.html"]);
  const named = [...page.matchAll(/(?:href|src)="(a\/[^"]+)"/g)].map((match) => `desk/${match[1]}`);
  expect(named.sort()).toEqual(hashed.filter((path) => !path.endsWith(".gz")));
  for (const kept of ['href="#/today"', 'href="/api/"', 'href="https://x.test/y"']) expect(page).toContain(kept);
  const script = named.find((path) => path.endsWith(".js")) ?? "";
  expect(String(files[script])).toContain("Bengkel");
});

test("the same source gives the same bytes; a change in an imported file gives the script another name", async () => {
  const one = await built("one", source);
  expect(await built("two", source)).toEqual(one);
  const other = await built("three", { ...source, "desk/words/id.ts": 'export const word = "Workshop";' });
  const changed = Object.keys(other).filter((path) => !(path in one));
  expect(changed).toEqual([expect.stringMatching(/desk\.\w+\.js$/), expect.stringMatching(/desk\.\w+\.js\.gz$/)]);
  expect(other["desk/index.html"]).not.toEqual(one["desk/index.html"]);
});

test.each([
  ["a file that is not there", { "desk/index.html": '<script src="lost.js">' }, /index\.html: names lost\.js/],
  ["a script that cannot be read", { ...source, "desk/desk.ts": "\nlet = ;" }, /desk\.ts:2: /],
  ["an import that is not there", { ...source, "desk/desk.ts": 'import "./lost.js";' }, /desk\.ts:1: .*lost\.js/],
])("%s is said with its place", async (_, files, message) => {
  await expect(built("wrong", files)).rejects.toThrow(message);
});
