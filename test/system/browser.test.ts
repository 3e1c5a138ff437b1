import { mkdirSync } from "node:fs";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { urlOf } from "../../ops/cluster/sites.ts";
import { openBrowser } from "../../ops/lib/browser.ts";
import { localPath } from "../../ops/lib/paths.ts";
import { backends, explainByJournals, until } from "../lib/hosts.ts";
import { answerInTurn, balancerAddress, counter, domain, inTurn } from "../lib/http.ts";

beforeEach(explainByJournals);
beforeAll(answerInTurn);
const screenshots = localPath("reports", "screenshots");
let browser: Browser;

beforeAll(async () => {
  mkdirSync(screenshots, { recursive: true });
  browser = await openBrowser(domain, balancerAddress);
});
afterAll(() => browser?.close());

test("ten refreshes of the page alternate between the backends, and nothing is asked of anybody else", async () => {
  const page = await browser.newPage();
  const asked = new Set<string>();
  const wrong: string[] = [];
  page.on("request", (each) => asked.add(new URL(each.url()).hostname));
  page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));
  page.on("pageerror", (error) => wrong.push(error.message));
  await page.goto(`${urlOf(counter)}/`);
  // Again where the turn was broken, which was seen once in CI without a known cause; a page that asks a backend for more breaks each.
  await until("ten refreshes in turn", 60_000, async () => {
    const names: string[] = [];
    for (let i = 0; i < 10; i++) {
      const answer = await page.reload();
      names.push(answer?.headers()["x-served-by"] ?? "none");
      await expect.poll(() => page.textContent("body")).toContain(names.at(-1));
    }
    expect(names).toSatisfy(inTurn);
    expect(new Set(names)).toEqual(new Set(backends));
    return true;
  });
  expect([...asked]).toEqual([domain]);
  expect(wrong).toEqual([]);
  await page.close();
});

test.each([
  ["phone", 360, 740, "light"],
  ["phone", 360, 740, "dark"],
  ["desktop", 1280, 800, "light"],
  ["desktop", 1280, 800, "dark"],
] as const)("%s, %i px, %i px, %s: nothing is cut off", async (device, width, height, colorScheme) => {
  const page = await browser.newPage({ viewport: { width, height }, colorScheme });
  await page.goto(`${urlOf(counter)}/`);
  await page.reload();
  await page.screenshot({ path: `${screenshots}/visits-${device}-${colorScheme}.png`, fullPage: true });
  expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
  await page.close();
});
