import { describe, expect, it } from "vitest";
import { hueOf } from "../../../src/visits/hue.ts";
import { PAGE_POLICY, renderPage } from "../../../src/visits/page.ts";

describe("renderPage", () => {
  it("shows the backend and the number", () => {
    const html = renderPage("backend1", 1234567);
    expect(html).toContain('data-container="backend1" data-total="1234567"');
    expect(html).toContain("1,234,567");
    expect(html).toContain("Terhubung");
  });

  it("shows a visit without a number", () => {
    const html = renderPage("backend1", null);
    expect(html).toContain('data-total=""');
    expect(html).toContain("Terputus");
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
