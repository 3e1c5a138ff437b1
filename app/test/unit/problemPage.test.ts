import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { PROBLEM_PAGE_HEADERS, renderProblem, STYLE } from "../../src/problemPage.ts";

test("a problem's page has the sentence, the status, the request's id and a way back, all as text", () => {
  const page = renderProblem("en", 404, "Not Found", "There is no <b>customer</b>.", "0123");
  expect(page).toContain("<h1>There is no &lt;b&gt;customer&lt;/b&gt;.</h1>");
  expect(page).toContain('<a href="/">Start page</a>');
  expect(page).toContain("404 Not Found · 0123");
});

test("it lists the invalid parameters with their reasons, as text", () => {
  const page = renderProblem("id", 400, "Bad Request", "The query is invalid.", "0123", [["<i>", "At most 100."]]);
  expect(page).toContain('<ul>\n<li><code>&lt;i&gt;</code>: <span lang="en">At most 100.</span></li>\n</ul>');
});

test.each([
  [404, "Halaman atau data ini tidak ada."],
  [418, "Permintaan ini tidak dapat dijawab."],
])("a problem %i in Indonesian has a sentence of its own", (status, sentence) => {
  const page = renderProblem("id", status, "Not Found", "No customer has the id 9.", "0123");
  for (const part of ['<html lang="id">', `<h1>${sentence}</h1>`, ">Halaman awal</a>"]) expect(page).toContain(part);
  expect(page).not.toContain("No customer");
});

test("the policy allows the page's own style and nothing else", () => {
  const style = renderProblem("en", 404, "Not Found", "", "").match(/<style>([\s\S]*)<\/style>/)?.[1] ?? "";
  const hash = createHash("sha256").update(style).digest("base64");
  expect(PROBLEM_PAGE_HEADERS["Content-Security-Policy"]).toContain(`default-src 'none'; style-src 'sha256-${hash}';`);
});

test("its colours are those of the shared style sheet", () => {
  const base = readFileSync(new URL("../../web/shared/base.css", import.meta.url), "utf8").replaceAll(" ", "");
  const colours = STYLE.match(/light-dark\([^)]+\)/g) ?? [];
  expect(colours.length).toBeGreaterThan(4);
  expect(colours.filter((colour) => !base.includes(colour))).toEqual([]);
});
