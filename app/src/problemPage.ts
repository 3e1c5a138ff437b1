import { createHash } from "node:crypto";
import { escapeHtml, type Language } from "./html.ts";

/** Inline, because the sites have their style sheets at different paths; the colours are those of web/shared/base.css. */
export const STYLE = `:root{color-scheme:light dark;font:1rem/1.5 system-ui,sans-serif;color:light-dark(#1b1c20,#f1f1ee);background:light-dark(#f6f5f2,#131417)}
main{display:grid;gap:1rem;justify-items:start;max-width:40rem;margin:12vh auto 0;padding:0 1rem;overflow-wrap:anywhere}
h1{margin:0;font-size:1.75rem;line-height:1.2}
p{margin:0}
ul{margin:0;padding-left:1.25rem}
small{color:light-dark(#5a5d66,#a9adb8)}
a{display:grid;place-items:center;min-height:2.75rem;padding:0 1.25rem;border:1px solid light-dark(#dedbd4,#34373f);border-radius:999px;font-weight:600;color:inherit;background:light-dark(#fff,#1f2127);text-decoration:none}
a:focus-visible{outline:3px solid light-dark(#1d4ed8,#93b4ff);outline-offset:2px}`;

const hash = createHash("sha256").update(STYLE).digest("base64");
export const PROBLEM_PAGE_HEADERS = {
  "Content-Security-Policy": `default-src 'none'; style-src 'sha256-${hash}'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  "Referrer-Policy": "no-referrer",
};

const BACK: Record<Language, string> = { en: "Start page", id: "Halaman awal" };
/** The details of problems are English, so Indonesian has a sentence for each status. */
const INDONESIAN: Record<number, string> = {
  400: "Permintaan ini salah bentuknya.",
  403: "Bengkel ini memerlukan login. Perbaikan: buka situs bengkel, lalu masuk di sana.",
  404: "Halaman atau data ini tidak ada.",
  405: "Alamat ini tidak menerima metode ini.",
  413: "Isi permintaan ini terlalu besar.",
  500: "Layanan gagal menangani permintaan ini.",
  503: "Layanan sedang tidak tersedia. Coba lagi beberapa detik lagi.",
};

/**
 * A problem as a page for a person, with a way back.
 *
 * @param detail one English sentence
 * @param id the request's, which is in the log
 * @param wrong the invalid parameters of the query, each with its reason in English
 */
export function renderProblem(
  language: Language,
  status: number,
  title: string,
  detail: string,
  id: string,
  wrong: [parameter: string, reason: string][] = [],
): string {
  const sentence = language === "en" ? detail : (INDONESIAN[status] ?? "Permintaan ini tidak dapat dijawab.");
  const list = wrong.map(
    ([name, reason]) => `<li><code>${escapeHtml(name)}</code>: <span lang="en">${escapeHtml(reason)}</span></li>\n`,
  );
  return `<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${status} ${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escapeHtml(sentence)}</h1>
${list.length > 0 ? `<ul>\n${list.join("")}</ul>\n` : ""}<p><a href="/">${BACK[language]}</a></p>
<p><small>${status} ${escapeHtml(title)} · ${escapeHtml(id)}</small></p>
</main>
</body>
</html>
`;
}
