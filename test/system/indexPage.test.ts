import { mkdirSync } from "node:fs";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { domains, secureUrlOf, sites, urlOf } from "../../ops/cluster/sites.ts";
import { openBrowser } from "../../ops/lib/browser.ts";
import { localPath } from "../../ops/lib/paths.ts";
import { app } from "../lib/app.ts";
import { backends, explainByJournals, on } from "../lib/hosts.ts";
import { answerInTurn, balancerAddress, counter, domain } from "../lib/http.ts";
import { wholeNight } from "../lib/night.ts";
import { axeFindings, cutOff, onSlowPhone, PAINT_LIMIT } from "../lib/page.ts";

beforeEach(explainByJournals);
const home = `${urlOf(counter)}/-/`;
const screenshots = localPath("reports", "screenshots");
const all = `${app.name}: ${backends.length} of ${backends.length} backends answer`;
let browser: Browser;

beforeAll(async () => {
  mkdirSync(screenshots, { recursive: true });
  browser = await openBrowser(domain, balancerAddress);
});
afterAll(() => browser?.close());

/** Opens a page of the counter's site, prepared by `prepare`; its errors, but for the status of the page itself, are in `wrong`. */
async function open(
  url: string,
  options: BrowserContextOptions = {},
  prepare: (page: Page) => Promise<unknown> = async () => {},
): Promise<{ page: Page; wrong: string[] }> {
  const page = await browser.newPage(options);
  const wrong: string[] = [];
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && message.location().url !== url) wrong.push(message.text());
  });
  await prepare(page);
  await page.goto(url);
  return { page, wrong };
}
const state = (page: Page) => page.locator(`[data-app="${app.name}"]`).first();

test("the index has every site, and follows a backend that stops and comes back", async () => {
  const { page, wrong } = await open(home);
  await state(page).filter({ hasText: all }).waitFor();
  expect(await page.locator(".sites small").allTextContents()).toEqual(
    domains().map((name) => expect.stringContaining(name)),
  );
  expect(await page.locator(".sites a").evaluateAll((links) => links.map((link) => link.getAttribute("href")))).toEqual(
    sites().map((site) => `${urlOf(site)}/`),
  );
  const [first = ""] = backends;
  try {
    await on(first, `systemctl stop ${app.unit}`);
    await state(page)
      .filter({ hasText: `${backends.length - 1} of ${backends.length} backends answer` })
      .waitFor({ timeout: 60_000 });
    expect(await state(page).getAttribute("class")).toBe("bad");
  } finally {
    await on(first, `systemctl start ${app.unit}`);
  }
  await state(page).filter({ hasText: all }).waitFor({ timeout: 60_000 });
  expect(wrong).toEqual([]);
  await page.close();
  await answerInTurn();
});

test("a visitor who came by https stays with it", async () => {
  const { page } = await open(`${secureUrlOf(counter)}/-/`, { ignoreHTTPSErrors: true });
  await state(page).filter({ hasText: all }).waitFor();
  expect(await page.locator(".sites a").evaluateAll((links) => links.map((link) => link.getAttribute("href")))).toEqual(
    sites().map((site) => `${secureUrlOf(site) ?? urlOf(site)}/`),
  );
  await page.close();
});

test("without an answer of Prometheus the states are unknown, and the links stay", async () => {
  const { page } = await open(home, {}, (page) =>
    page.route("**/state.json", (route) => route.fulfill({ status: 503 })),
  );
  await state(page).filter({ hasText: "state unknown" }).waitFor();
  expect(await page.locator(".sites a").count()).toBe(sites().length);
  await page.close();
});

/** The index, an error of nginx itself, and one of the service; each with what it shows in the end. */
const pages = [
  ["index", home, (page: Page) => state(page).filter({ hasText: all }).waitFor()],
  ["error", `${urlOf(counter)}/assets/nowhere`, (page: Page) => page.locator("h1").waitFor()],
  ["problem", `${urlOf(counter)}/nowhere`, (page: Page) => page.locator("h1").waitFor()],
] as const;

test.each(pages)("on a slow phone the page %s (%s) is painted in time and stays still", async (name, url, ready) => {
  const { paint, shifts } = await onSlowPhone(browser, name, url, ready);
  expect(shifts).toEqual([]);
  expect(paint).toBeLessThan(PAINT_LIMIT);
});

const widths = [
  [320, "light"],
  [390, "dark"],
  [1280, "light"],
  [320, "dark"],
  [390, "light"],
  [1280, "dark"],
] as const;
/** Each page at all widths by night, and at one of its own by day. */
const shown = pages.flatMap(([name, url], page) =>
  widths.flatMap(([width, scheme], i) => (wholeNight || i === page ? [[name, url, width, scheme] as const] : [])),
);
test.each(shown)(
  "the page %s (%s) at %i px in %s: nothing is cut off, and axe finds nothing",
  async (name, url, width, colorScheme) => {
    const { page, wrong } = await open(url, { viewport: { width, height: 740 }, colorScheme });
    await page.screenshot({ path: `${screenshots}/${name}-${width}-${colorScheme}.png`, fullPage: true });
    expect(await cutOff(page)).toEqual([]);
    expect(await axeFindings(page)).toEqual([]);
    expect(wrong).toEqual([]);
    await page.close();
  },
);

test("an error leads back to the start page", async () => {
  const { page } = await open(`${urlOf(counter)}/assets/nowhere`);
  await page.getByRole("link", { name: "Start page" }).click();
  await page.locator("#container").waitFor();
  await page.close();
});
