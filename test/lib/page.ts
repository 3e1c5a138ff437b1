import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { slowness } from "../../ops/suites/suites.ts";
import { wholeNight } from "./night.ts";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** The findings of axe on the page as it is now, each with its first element. */
export async function axeFindings(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  return page.evaluate<string[]>(
    `axe.run().then(({ violations }) => violations.map(({ impact, id, nodes }) => impact + " " + id + ": " + nodes[0].html))`,
  );
}

/** The elements that reach beyond the right edge of the window, but for a list that can be scrolled, and code, whose spaces hang over the end of a line. */
export const cutOff = (page: Page): Promise<string[]> =>
  page.evaluate(() =>
    [...document.querySelectorAll("body *")]
      .filter(
        (each) =>
          each.getBoundingClientRect().right > innerWidth + 0.5 && !each.closest("#apps, .unseen, #skip, pre code"),
      )
      .map((each) => each.outerHTML.slice(0, 100)),
  );

/**
 * Slows a page down to a phone of the lower middle class on a slow network: 1.6 Mbit/s, 150 ms, a quarter of the CPU that set the tests'
 * budgets. A slower machine than that one slows the page down by itself.
 */
export async function slowDown(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  const bytes = (kilobits: number) => (kilobits * 1000) / 8;
  await session.send("Network.emulateNetworkConditions", {
    offline: false,
    latency: 150,
    downloadThroughput: bytes(1600),
    uploadThroughput: bytes(750),
  });
  await session.send("Emulation.setCPUThrottlingRate", { rate: Math.max(1, 4 / slowness()) });
}

/** Measures from the next navigation on; `moved` and `painted` read the results. */
export const measure = (page: Page): Promise<unknown> =>
  page.addInitScript(() => {
    const found = { moved: [] as string[], painted: 0 };
    Object.assign(window, { found });
    new PerformanceObserver((list) => {
      for (const each of list.getEntries() as (PerformanceEntry & {
        value: number;
        sources: { node?: Element | null }[];
      })[])
        found.moved.push(`${each.value.toFixed(4)} ${each.sources.map(({ node }) => node?.nodeName).join(" ")}`);
    }).observe({ type: "layout-shift", buffered: true });
    new PerformanceObserver((list) => {
      found.painted = list.getEntries().at(-1)?.startTime ?? 0;
    }).observe({ type: "largest-contentful-paint", buffered: true });
  });

/** Every layout shift since the navigation, with the elements that moved. */
export const moved = (page: Page): Promise<string[]> => page.evaluate("found.moved");
/** The time of the largest contentful paint, in ms from the navigation on; throws where the browser has reported none. */
export async function painted(page: Pick<Page, "evaluate">): Promise<number> {
  const time = await page.evaluate<number>("found.painted");
  if (!(time > 0)) throw new Error("the browser has reported no largest paint");
  return time;
}

/** Counts the bytes that a page's requests bring from now on, with their headers; gives a function that reads the sum. */
export async function transferred(page: Page): Promise<() => number> {
  const network = await page.context().newCDPSession(page);
  await network.send("Network.enable");
  let bytes = 0;
  network.on("Network.loadingFinished", ({ encodedDataLength }) => {
    bytes += encodedDataLength;
  });
  return () => bytes;
}

/** The largest paint of a page on a slow phone is earlier than this, in ms. */
export const PAINT_LIMIT = 1200;

/**
 * Opens a page on a slow phone that has never seen it, and prints its cost there: three times by night, by day until one is in
 * time, at most three times.
 *
 * @param ready waits until the page shows what a person came for
 * @returns the median of the largest paints, by day the best one, in ms; and every layout shift
 */
export async function onSlowPhone(
  browser: Browser,
  name: string,
  url: string,
  ready: (page: Page) => Promise<unknown>,
  options: BrowserContextOptions = {},
): Promise<{ paint: number; shifts: string[] }> {
  const paints: number[] = [];
  const shifts: string[] = [];
  let bytes = 0;
  const inTime = () => !wholeNight && paints.some((each) => each < PAINT_LIMIT);
  for (let i = 0; i < 3 && !inTime(); i++) {
    const page = await browser.newPage({ viewport: { width: 390, height: 844 }, ...options });
    page.setDefaultTimeout(60_000);
    const sum = await transferred(page);
    await measure(page);
    await slowDown(page);
    await page.goto(url);
    await ready(page);
    await page.waitForLoadState("networkidle");
    paints.push(await painted(page));
    shifts.push(...(await moved(page)));
    bytes = sum();
    await page.close();
  }
  const paint = paints.sort((a, b) => a - b)[wholeNight ? 1 : 0] ?? Number.NaN;
  const all = paints.map((each) => Math.round(each)).join(", ");
  console.log(`${name} on a slow phone: ${(bytes / 1024).toFixed(1)} KiB, the largest paint after ${all} ms`);
  return { paint, shifts };
}
