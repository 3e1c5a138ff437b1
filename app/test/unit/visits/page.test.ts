import { describe, expect, it } from "vitest";
import { hueOf } from "../../../src/visits/hue.ts";
import { PAGE_POLICY, renderPage } from "../../../src/visits/page.ts";
import { words } from "../../../src/visits/words.ts";

describe("renderPage", () => {
  it("shows the backend and the number", () => {
    const html = renderPage("backend1", 1234567);
    expect(html).toContain('data-container="backend1" data-total="1234567"');
    expect(html).toContain("1.234.567");
    expect(html).toContain("Terhubung");
  });

  it("shows a visit without a number", () => {
    const html = renderPage("backend1", null);
    expect(html).toContain('data-total=""');
    expect(html).toContain("Terputus");
  });

  it("has the contract's texts, and each text with its key for the other language", () => {
    const html = renderPage("backend1", 1);
    for (const text of [
      "Halo dari Backend API!",
      "Refresh halaman ini untuk melihat container_id berubah (Load Balancing)",
    ])
      expect(html).toContain(text);
    const keys = [...html.matchAll(/data-t(?:-label|-title)?="(\w+)"/g)].map((match) => String(match[1]));
    expect(keys.length).toBeGreaterThan(8);
    for (const key of keys)
      expect([key, words.en]).toEqual([key, expect.objectContaining({ [key]: expect.any(String) })]);
  });

  it("escapes the name", () => {
    expect(renderPage(`"><script>alert(1)</script>`, 1)).not.toContain("<script>alert");
  });

  it("uses no source that its policy forbids", () => {
    expect(PAGE_POLICY).not.toMatch(/unsafe|\*/);
    expect(renderPage("a", 1)).not.toMatch(/<style|style=|<script>|\son\w+=|https?:/);
  });
});

describe("hueOf", () => {
  it("gives up to ten numbered backends ten colours", () => {
    const names = Array.from({ length: 10 }, (_, i) => `backend${i}`);
    expect(new Set(names.map(hueOf)).size).toBe(10);
  });
});

describe("words", () => {
  const kinds = (all: Record<string, unknown>) => Object.entries(all).map(([key, word]) => `${key}: ${typeof word}`);

  it("are the same ones in both languages, of the same kind, and never the same text", () => {
    expect(kinds(words.en)).toEqual(kinds(words.id));
    const texts = (all: Record<string, unknown>) =>
      Object.values(all).map((word) => (typeof word === "function" ? word("a", "2", "3") : word));
    const english = texts(words.en);
    expect(texts(words.id).filter((text, i) => text === english[i])).toEqual([]);
  });

  it.each(["backend1", "backend1 and backend2"])("name %s as drained", (backends) => {
    expect(words.en.resting(backends)).toBe(`${backends} drained: no request goes there`);
  });

  it.each(["1", "2"])("count %s answers as their language does", (answers) => {
    const noun = answers === "1" ? "answer" : "answers";
    expect(words.en.unnoticed("backend1", answers)).toBe(`backend1 stopped; nobody noticed: ${answers} ${noun} since`);
    expect(words.id.unnoticed("backend1", answers)).toContain(`${answers} jawaban sejak itu`);
  });
});
