import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { alerts } from "../../test/lib/alerts.ts";
import { root } from "../lib/paths.ts";
import { buildWeb } from "../web/build.ts";
import { renderDocument } from "../web/document.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "halo-web-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const source = {
  "desk/index.html": `<link rel="icon" href="../shared/icon.svg"><link rel="stylesheet" href="desk.css">
<script type="module" src="desk.ts"></script><a href="#/today"></a><a href="/api/"></a><a href="https://x.test/y"></a>`,
  "desk/manual.html": '<link rel="stylesheet" href="desk.css"><!-- document: manual.md -->',
  "desk/desk.css": "body { background: url(../shared/icon.svg) }",
  "desk/desk.ts": 'import { word } from "./words/id.ts"; console.log(word);',
  "desk/words/id.ts": 'export const word = "Bengkel";',
  "assets/page.css": '@import "../shared/base.css"; a { color: red }',
  "assets/page.ts": 'import { word } from "./parts/word.ts"; export const shown: string = word;',
  "assets/parts/word.ts": 'export { word } from "../../desk/words/id.ts";',
  "assets/note.txt": "a note",
  "shared/base.css": "b { color: blue }",
  "shared/icon.svg": "<svg/>",
  "shared/favicon.ico": "an icon",
};

const manual = `# Manual

See [below](#disk-low) or [Limits](limits.md): **\`a < b\` & c**,
twice.

## Disk low

- one
  and a half
- two

| sign | \`it\` |
|---|---|
| a | b |

\`\`\`text
# no heading

"1" & <2>
\`\`\`
`;

/** Builds the files into a folder of this name; resolves with its files, by their path. */
async function built(name: string, files: Record<string, string>): Promise<Record<string, Buffer>> {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, `${name}-from`, path)), { recursive: true });
    writeFileSync(join(folder, `${name}-from`, path), content);
  }
  writeFileSync(join(folder, "manual.md"), manual);
  const to = join(folder, name);
  await buildWeb(folder, join(folder, `${name}-from`), to);
  const paths = readdirSync(to, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(to.length + 1));
  return Object.fromEntries(paths.sort().map((path) => [path, readFileSync(join(to, path))]));
}

test("a site is its pages, and the files that they name under a/ with a hash; a folder without a page has its bundles and files under their own names; each text has a .gz and a .br, and all have the icons", async () => {
  const files = await built("one", source);
  const hashed = Object.keys(files).filter((path) => path.startsWith("desk/a/"));
  expect(hashed.map((path) => path.replace(/\.[0-9A-Z]{8}\./, ".HASH.")).sort()).toEqual(
    ["css", "js", "svg"].flatMap((kind) => {
      const path = `desk/a/${kind === "svg" ? "icon" : "desk"}.HASH.${kind}`;
      return [path, `${path}.br`, `${path}.gz`];
    }),
  );
  expect(Object.keys(files).filter((path) => !hashed.includes(path))).toEqual([
    "assets/favicon.ico",
    "assets/icon.svg",
    "assets/note.txt",
    "assets/page.css",
    "assets/page.css.br",
    "assets/page.css.gz",
    "assets/page.js",
    "assets/page.js.br",
    "assets/page.js.gz",
    "desk/favicon.ico",
    "desk/icon.svg",
    "desk/index.html",
    "desk/index.html.br",
    "desk/index.html.gz",
    "desk/manual.html",
    "desk/manual.html.br",
    "desk/manual.html.gz",
  ]);
  expect(String(files["assets/page.css"])).toMatch(/#00f.*red/s);
  expect(String(files["assets/page.js"])).toContain("Bengkel");
  for (const [path, bytes] of Object.entries(files)) {
    if (path.endsWith(".gz")) expect(gunzipSync(bytes)).toEqual(files[path.slice(0, -3)]);
    if (path.endsWith(".br")) expect(brotliDecompressSync(bytes)).toEqual(files[path.slice(0, -3)]);
  }

  const page = String(files["desk/index.html"]);
  const named = [...page.matchAll(/(?:href|src)="(a\/[^"]+)"/g)].map((match) => `desk/${match[1]}`);
  expect(named.sort()).toEqual(hashed.filter((path) => !/\.(gz|br)$/.test(path)));
  for (const kept of ['href="#/today"', 'href="/api/"', 'href="https://x.test/y"']) expect(page).toContain(kept);
  const script = named.find((path) => path.endsWith(".js")) ?? "";
  expect(String(files[script])).toContain("Bengkel");
});

test("a document in a page has anchors, its links to other documents are text, and its code is no markup", async () => {
  const page = String((await built("one", source))["desk/manual.html"]);
  const [, document] = page.match(/^<link rel="stylesheet" href="a\/desk\.\w+\.css">([\s\S]*)$/) ?? [];
  expect(document?.split("\n")).toEqual([
    '<h1 id="manual">Manual</h1>',
    '<p>See <a href="#disk-low">below</a> or Limits: <strong><code>a &lt; b</code> &amp; c</strong>,',
    "twice.</p>",
    '<h2 id="disk-low">Disk low</h2>',
    "<ul><li>one",
    "  and a half</li>",
    "<li>two</li></ul>",
    "<table><thead><tr><th>sign</th><th><code>it</code></th></tr></thead><tbody><tr><td>a</td><td>b</td></tr></tbody></table>",
    "<pre><code># no heading",
    "",
    "&quot;1&quot; &amp; &lt;2&gt;</code></pre>",
  ]);
});

test("nothing of the runbook's Markdown is left in its page, and each alert finds its section", () => {
  const page = renderDocument(readFileSync(join(root, "docs/runbook.md"), "utf8"));
  const outside = page.replace(/<(pre|code)>[\s\S]*?<\/\1>/g, "");
  expect(outside).not.toMatch(/`|\*\*|\]\(|^[#|]|^- /m);
  for (const { annotations } of alerts) expect(page).toContain(`<h3 id="${annotations.runbook?.split("#")[1]}">`);
});

test("the same source gives the same bytes; a change in an imported file gives the script another name", async () => {
  const one = await built("one", source);
  expect(await built("two", source)).toEqual(one);
  const other = await built("three", { ...source, "desk/words/id.ts": 'export const word = "Workshop";' });
  const changed = Object.keys(other).filter((path) => !(path in one));
  expect(changed).toEqual(["", "\\.br", "\\.gz"].map((end) => expect.stringMatching(`desk\\.\\w+\\.js${end}$`)));
  expect(other["desk/index.html"]).not.toEqual(one["desk/index.html"]);
});

test.each([
  ["a file that is not there", { "desk/index.html": '<script src="lost.js">' }, /index\.html: names lost\.js/],
  ["a script that cannot be read", { ...source, "desk/desk.ts": "\nlet = ;" }, /desk\.ts:2: /],
  ["an import that is not there", { ...source, "desk/desk.ts": 'import "./lost.js";' }, /desk\.ts:1: .*lost\.js/],
])("%s is said with its place", async (_, files, message) => {
  await expect(built("wrong", files)).rejects.toThrow(message);
});

test("the style of nginx' own pages fits into one parameter of its configuration, whose quotes and variables it has not", () => {
  const sheets = ["base", "message"].map((name) => readFileSync(join(root, `app/web/shared/${name}.css`), "utf8"));
  const style = sheets
    .join("")
    .replace(/\/[*][^*]*[*]\//g, "")
    .replace(/\s+/g, " ");
  expect(style.length).toBeLessThan(4000);
  expect(style).not.toMatch(/['$\\]|\/[*]|@import/);
});
