import { escapeHtml } from "../html.ts";
import { hueOf } from "./hue.ts";
import { LOCALES, type PlainKey, words } from "./words.ts";

const text = words.id;

/** The page loads only from its own origin: nginx serves its styles, script and icon under /assets/. */
export const PAGE_POLICY =
  "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
  "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/** How many answers the strip shows; the page's script counts these slots. */
const SLOTS = 12;

/** Text for the script to translate: the attribute with its key, and the text itself. */
const say = (key: PlainKey): string => `data-t="${key}">${text[key]}`;

/**
 * The page of one answer, in Indonesian; it is complete without its script, which adds the drawing and the other language.
 *
 * @param servedBy the host that answers
 * @param total the visit's number, or null when it could not be counted
 */
export function renderPage(servedBy: string, total: number | null): string {
  const name = escapeHtml(servedBy);
  const up = total !== null;
  const colour = up ? `hue-${hueOf(servedBy)}` : "failed";
  const shown = up ? total.toLocaleString(LOCALES.id) : "–";
  // The script blocks the first paint: a language or a drawing that came after it would move the page.
  return `<!doctype html>
<html lang="id">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${up ? text.answeredTitle(name) : text.failedTitle}</title>
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/assets/page.css">
<script type="module" src="/assets/page.js" blocking="render"></script>
</head>
<body>
<main id="page" data-testid="page" data-container="${name}" data-total="${up ? total : ""}">
<header>
<a class="brand" href="/-/" title="${text.allSites}" data-t-title="allSites"><img src="/assets/icon.svg" alt="" width="28" height="28">Halo</a>
<div class="languages" role="group" aria-label="${text.language}" data-t-label="language">
<button type="button" data-language="id" lang="id" aria-label="ID, Bahasa Indonesia" aria-pressed="true">ID</button>
<button type="button" data-language="en" lang="en" aria-label="EN, English" aria-pressed="false">EN</button>
</div>
<h1 data-testid="message" ${say("message")}</h1>
</header>
<section id="answer" class="${colour}" aria-labelledby="who">
<div class="who"><h2 id="who" ${say("answeredBy")}</h2><p id="container" data-testid="container">${name}</p></div>
<div class="count"><h2 ${say("visit")}</h2><p id="total" data-testid="total">${shown}</p></div>
<p class="database"><span ${say("database")}</span> <strong id="database" data-testid="database" ${say(up ? "connected" : "disconnected")}</strong> <span id="note">${up ? "" : text.noNumber("503")}</span></p>
</section>
<form action="/" method="get" class="actions">
<button id="refresh" data-testid="refresh" type="submit" ${say("refresh")}</button>
<button id="auto" data-testid="auto" type="button" role="switch" aria-checked="false"><i aria-hidden="true"></i><span ${say("auto")}</span></button>
</form>
<p class="info" data-testid="info" ${say("info")}</p>
<section class="way" aria-labelledby="way">
<h2 id="way" ${say("way")}</h2>
<svg id="drawing" data-testid="drawing" role="img"></svg>
<p id="news" data-testid="news"></p>
</section>
<section aria-labelledby="last">
<h2 id="last" ${say("last")}</h2>
<ol id="strip" data-testid="strip"><li class="slot ${colour}"><b>${name}</b><span>${up ? shown : "503"}</span></li>${"<li class=slot></li>".repeat(SLOTS - 1)}</ol>
</section>
<p id="live" class="unseen" role="status" aria-live="polite"></p>
</main>
</body>
</html>
`;
}
