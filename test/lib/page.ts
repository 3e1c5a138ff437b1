import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** The findings of axe on the page as it is now, each with its first element. */
export async function axeFindings(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  return page.evaluate<string[]>(
    `axe.run().then(({ violations }) => violations.map(({ impact, id, nodes }) => impact + " " + id + ": " + nodes[0].html))`,
  );
}

/** The elements that reach beyond the right edge of the window, but for those in a list that can be scrolled. */
export const cutOff = (page: Page): Promise<string[]> =>
  page.evaluate(() =>
    [...document.querySelectorAll("body *")]
      .filter((each) => each.getBoundingClientRect().right > innerWidth + 0.5 && !each.closest("#apps, .unseen, #skip"))
      .map((each) => each.outerHTML.slice(0, 100)),
  );

/** Slows a page down to a phone of the lower middle class on a slow network: 1.6 Mbit/s, 150 ms, a quarter of this CPU. */
export async function slowDown(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const bytes = (kilobits: number) => (kilobits * 1000) / 8;
  await session.send("Network.emulateNetworkConditions", {
    offline: false,
    latency: 150,
    downloadThroughput: bytes(1600),
    uploadThroughput: bytes(750),
  });
  await session.send("Emulation.setCPUThrottlingRate", { rate: 4 });
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
/** The time of the largest contentful paint, in ms from the navigation on. */
export const painted = (page: Page): Promise<number> => page.evaluate("found.painted");
