import { escapeHtml } from "../html.ts";
import { CONNECTED, DISCONNECTED, INFO, MESSAGE } from "./contract.ts";
import { hueOf } from "./hue.ts";

/** The page loads only from its own origin: nginx serves its styles, script and icon under /assets/. */
export const PAGE_POLICY =
  "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
  "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/** How many answers the strip shows; the page's script counts these slots. */
const SLOTS = 12;

/**
 * The page of one answer; it is complete without its script.
 *
 * @param servedBy the host that answers
 * @param total the visit's number, or null when it could not be counted
 */
export function renderPage(servedBy: string, total: number | null): string {
  const name = escapeHtml(servedBy);
  const hue = hueOf(servedBy);
  const up = total !== null;
  const shown = up ? total.toLocaleString("en") : "–";
  const status = up ? CONNECTED : DISCONNECTED;
  const newest = up
    ? `<li class="slot hue-${hue}"><b>${name}</b><span>${shown}</span></li>`
    : `<li class="slot failed"><b>${name}</b><span>503</span></li>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${name} answered · Halo</title>
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/assets/page.css">
<script type="module" src="/assets/page.js"></script>
</head>
<body>
<main id="page" data-testid="page" data-container="${name}" data-total="${up ? total : ""}">
<header>
<a class="brand" href="/-/" title="All sites"><svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true"><circle cx="16" cy="16" r="10.5"/><circle cx="26" cy="16" r="5"/></svg>Halo</a>
<h1 lang="id" data-testid="message">${MESSAGE}</h1>
</header>
<section id="answer" class="${up ? `hue-${hue}` : "failed"}" aria-labelledby="who">
<div class="who"><h2 id="who">Answered by</h2><p id="container" data-testid="container">${name}</p></div>
<div class="count"><h2>Visit</h2><p id="total" data-testid="total">${shown}</p></div>
<p class="database">Database <strong id="database" data-testid="database" lang="id">${status}</strong> <span id="note">${up ? "" : "No number for this visit (503). Try again in a moment."}</span></p>
</section>
<form action="/" method="get" class="actions">
<button id="refresh" data-testid="refresh" type="submit">Refresh</button>
<button id="auto" data-testid="auto" type="button" role="switch" aria-checked="false"><i aria-hidden="true"></i><span>Auto-refresh every 2.5 s</span></button>
</form>
<p class="info" lang="id" data-testid="info">${INFO}</p>
<section aria-labelledby="last">
<h2 id="last">Last answers, newest first</h2>
<ol id="strip" data-testid="strip">${newest}${"<li class=slot></li>".repeat(SLOTS - 1)}</ol>
</section>
<section aria-labelledby="who-how-often">
<h2 id="who-how-often">Who answered how often</h2>
<ul id="shares" data-testid="shares"><li class="hue-${hue}"><b>${name}</b><span class="bar">${up ? '<i class="fill"></i>' : ""}</span><span>${up ? 1 : 0}</span></li></ul>
</section>
<p id="live" class="unseen" role="status" aria-live="polite"></p>
</main>
</body>
</html>
`;
}
