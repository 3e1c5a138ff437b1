import { mkdirSync } from "node:fs";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { words } from "../../app/src/visits/words.ts";
import { inGroup } from "../../ops/cluster/inventory.ts";
import { urlOf } from "../../ops/cluster/sites.ts";
import { openBrowser } from "../../ops/lib/browser.ts";
import { localPath } from "../../ops/lib/paths.ts";
import { app } from "../lib/app.ts";
import { backends, explainByJournals, on, until } from "../lib/hosts.ts";
import { answerInTurn, balancerAddress, counter, domain, inTurn, request, visit } from "../lib/http.ts";
import { someByDay } from "../lib/night.ts";
import { axeFindings, measure, moved, onSlowPhone, PAINT_LIMIT, transferred } from "../lib/page.ts";

beforeEach(explainByJournals);
beforeAll(answerInTurn);
const screenshots = localPath("reports", "screenshots");
const home = `${urlOf(counter)}/`;
const statesPath = "/assets/backends.json";
const [first = "", ...others] = backends;
const balancer = inGroup("balancers")[0]?.name ?? "";
let browser: Browser;

beforeAll(async () => {
  mkdirSync(screenshots, { recursive: true });
  browser = await openBrowser(domain, balancerAddress);
});
afterAll(() => browser?.close());

type Backends = Record<string, { last_visit: number; database_status?: string } | "drained" | null>;
const alive = { last_visit: 100 };

/** Opens the counter's page, with the states of the cluster or these ones; `change` gives others from then on. */
async function open(options: BrowserContextOptions = {}, given?: Backends) {
  const page = await browser.newPage(options);
  page.setDefaultTimeout(20_000);
  let shown = given;
  if (given) await page.route(`**${statesPath}`, (route) => route.fulfill({ json: { balancer, backends: shown } }));
  const change = (to: Backends) => {
    shown = to;
  };
  await page.goto(home);
  return { page, change };
}

/** The backend in the drawing, in colour or greyed. */
const drawn = (page: Page, name: string, inColour: boolean) =>
  page.locator(`#drawing [data-backend="${name}"][data-alive="${inColour}"]`);
const news = (page: Page) => page.textContent("#news");
/** Presses the button and waits until its answer is shown. */
async function refresh(page: Page): Promise<void> {
  const before = await page.textContent("#total");
  await page.click("#refresh");
  await expect.poll(() => page.textContent("#total")).not.toBe(before);
}

test("ten refreshes of the page alternate between the backends, and nothing is asked of anybody else", async () => {
  const page = await browser.newPage();
  const asked = new Set<string>();
  const wrong: string[] = [];
  page.on("request", (each) => asked.add(new URL(each.url()).hostname));
  page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));
  page.on("pageerror", (error) => wrong.push(error.message));
  await page.goto(home);
  // Again where the turn was broken, which was seen once in CI without a known cause; a page that asks a backend for more breaks each.
  await until("ten refreshes in turn", 60_000, async () => {
    const names: string[] = [];
    for (let i = 0; i < 10; i++) {
      const answer = await page.reload();
      names.push(answer?.headers()["x-served-by"] ?? "none");
      await expect.poll(() => page.textContent("#container")).toBe(names.at(-1));
    }
    expect(names).toSatisfy(inTurn);
    expect(new Set(names)).toEqual(new Set(backends));
    return true;
  });
  expect([...asked]).toEqual([domain]);
  expect(wrong).toEqual([]);
  await page.close();
});

test("a page that follows the states takes nobody's turn", async () => {
  const { status, headers, body } = await request(statesPath);
  expect([status, headers["cache-control"], headers["x-served-by"]]).toEqual([200, "no-store", undefined]);
  const state = { last_visit: expect.any(Number), database_status: "Terhubung" };
  expect(JSON.parse(body)).toEqual({
    balancer: expect.toBeOneOf(inGroup("balancers").map(({ name }) => name)),
    backends: Object.fromEntries(backends.map((name) => [name, state])),
  });
  expect((await request(`${statesPath}/${first}`)).status).toBe(404);

  const { page } = await open();
  for (const name of backends) await drawn(page, name, true).waitFor();
  const names: string[] = [];
  for (let i = 0; i < 3; i++) {
    const asked = page.waitForResponse((each) => each.url().endsWith(statesPath));
    for (let n = 0; n < 2 * backends.length; n++) names.push((await visit()).visit.container_id);
    expect((await asked).status()).toBe(200);
  }
  expect(names).toSatisfy(inTurn);
  await page.close();
});

test("a backend that stops is greyed and the answers since are counted; it comes back in colour", async () => {
  const { page } = await open();
  await drawn(page, first, true).waitFor();
  await on(first, `systemctl stop ${app.unit}`);
  try {
    await drawn(page, first, false).waitFor();
    for (let i = 0; i < 3; i++) await visit();
    const counted = new RegExp(`^${first} berhenti; tidak ada yang merasakannya: ([1-9]\\d*) jawaban sejak itu$`);
    await expect.poll(() => news(page), { timeout: 10_000 }).toMatch(counted);
    const before = Number((await news(page))?.match(counted)?.[1]);

    await page.reload();
    expect(await drawn(page, first, false).count(), "greyed from the first moment of a reload").toBe(1);
    expect(others).toContain(await page.textContent("#container"));
    await page.click("#refresh");
    await expect.poll(async () => Number((await news(page))?.match(counted)?.[1])).toBeGreaterThanOrEqual(before + 2);
  } finally {
    await on(first, `systemctl start ${app.unit}`);
  }
  await drawn(page, first, true).waitFor();
  expect(await news(page)).toBe(words.id.allAnswer);
  await page.close();
  await answerInTurn();
});

const explained: [string, Backends, string][] = [
  [
    "one drained, one stopped",
    { a: "drained", b: null, c: alive },
    `${words.en.resting("a")}. ${words.en.unnoticed("b", "7")}`,
  ],
  ["all stopped", { [first]: null, other: null }, words.en.noneAnswers],
  ["Redis away", { a: { last_visit: 1, database_status: "Terputus" }, b: alive }, words.en.redisSilent],
  ["a drained one", { [first]: "drained", other: alive }, words.en.resting(first)],
  ["two of three stopped", { a: null, b: null, c: alive }, words.en.unnoticed("a and b", "7")],
];
test.each(someByDay(explained, 3))("the page explains %s", async (_, states, sentence) => {
  const { page, change } = await open(
    {},
    Object.fromEntries(Object.keys(states).map((name) => [name, { last_visit: 1e9 }])),
  );
  await page.click('[data-language="en"]');
  await expect.poll(() => news(page)).toBe(words.en.allAnswer);
  const later = (last_visit: number) =>
    Object.fromEntries(Object.entries(states).map(([name, state]) => [name, state === alive ? { last_visit } : state]));
  change(later(1e9));
  for (const [name, state] of Object.entries(states))
    await drawn(page, name, state !== null && state !== "drained").waitFor();
  change(later(1e9 + 7));
  await expect.poll(() => news(page), { timeout: 10_000 }).toBe(sentence);
  await page.close();
});

test("a failure that the page saw is counted: the sentence no longer says that nobody noticed", async () => {
  const { page } = await open({}, { a: null, b: alive });
  await page.route(home, (route) =>
    route.request().resourceType() === "fetch"
      ? route.fulfill({ status: 503, json: { container_id: "b", database_status: "Terputus", total_visits: null } })
      : route.continue(),
  );
  await drawn(page, "a", false).waitFor();
  await page.click("#refresh");
  await expect.poll(() => news(page)).toContain(words.id.noticed("a", "0", "1"));
  expect(await page.textContent("#database")).toBe("Terputus");
  expect(await page.textContent("#total")).toBe("–");
  await page.close();
});

test("a balancer that does not answer is drawn so, and a document that is cut off changes nothing", async () => {
  const { page } = await open({}, { a: alive });
  await drawn(page, "a", true).waitFor();
  await page.route(`**${statesPath}`, (route) => route.fulfill({ body: '{"balancer":"x","backends":{"a":' }));
  await page.waitForResponse((each) => each.url().endsWith(statesPath));
  await drawn(page, "a", true).waitFor();
  await page.route(`**${statesPath}`, (route) => route.abort("connectionrefused"));
  await expect.poll(() => news(page), { timeout: 10_000 }).toBe(words.id.balancerSilent(balancer));
  await page.close();
});

test("without the document of states the page knows the backends by their answers, and asks no more", async () => {
  const page = await browser.newPage();
  await page.clock.install();
  let asked = 0;
  await page.route(`**${statesPath}`, (route) => {
    asked += 1;
    return route.fulfill({ status: 404, body: "" });
  });
  await page.goto(home);
  for (let i = 1; i < backends.length; i++) await refresh(page);
  for (const name of backends) await drawn(page, name, true).waitFor();
  await page.clock.fastForward(60_000);
  // A request that a timer has sent is under way before this one.
  await refresh(page);
  expect(asked).toBe(1);
  await page.close();
});

test("a slow answer is pending visibly, and a second click asks for nothing more", async () => {
  const { page } = await open();
  const held = Promise.withResolvers<void>();
  let asked = 0;
  await page.route(home, async (route) => {
    asked += 1;
    await held.promise;
    await route.continue();
  });
  const button = page.locator("#refresh");
  const width = (await button.boundingBox())?.width;
  await button.click();
  await expect.poll(() => button.textContent()).toBe(words.id.waiting);
  expect(await button.getAttribute("aria-disabled")).toBe("true");
  expect(await page.locator(".request.waiting").count()).toBe(1);
  expect(await page.textContent("#live")).toBe(words.id.waiting);
  expect((await button.boundingBox())?.width).toBe(width);
  await page.keyboard.press("Enter");
  held.resolve();
  await expect.poll(() => button.textContent()).toBe(words.id.refresh);
  expect(await page.locator(".request.waiting").count()).toBe(0);
  expect(asked).toBe(1);
  await page.close();
});

/** The texts of a language that have no variable part. */
const plain = (language: "id" | "en") => Object.values(words[language]).filter((word) => typeof word === "string");

test("each language has no word of the other one, and a reload keeps the choice", async () => {
  const { page, change } = await open({}, { [first]: alive, b: "drained" });
  const text = async () => ((await page.textContent("main")) ?? "").replace(words.id.info, "");
  for (const [language, other, title] of [
    ["id", "en", "menjawab"],
    ["en", "id", "answered"],
  ] as const) {
    await page.click(`[data-language="${language}"]`);
    await page.reload();
    expect(await page.locator("html").getAttribute("lang")).toBe(language);
    expect(await page.locator('[data-language][aria-pressed="true"]').textContent()).toBe(language.toUpperCase());
    expect(await page.title()).toContain(title);
    expect(await page.getAttribute(".brand", "title")).toBe(words[language].allSites);
    for (const states of [
      { [first]: alive, b: "drained" as const },
      { [first]: null, b: alive },
    ]) {
      change(states);
      await drawn(page, first, states[first] === alive).waitFor();
      const shown = await text();
      expect(plain(other).filter((word) => new RegExp(`(?<!\\p{L})${word}(?!\\p{L})`, "u").test(shown))).toEqual([]);
    }
  }
  await page.close();
});

test("everything works by the keyboard alone", async () => {
  const { page } = await open();
  const focused = () =>
    page.evaluate<string>(
      "document.activeElement.dataset.language ?? (document.activeElement.id || document.activeElement.className)",
    );
  const seen: string[] = [];
  for (let i = 0; i < 5; i++) {
    await page.keyboard.press("Tab");
    seen.push(await focused());
    expect(await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")).toBe("solid");
  }
  expect(seen).toEqual(["brand", "id", "en", "refresh", "auto"]);
  await page.keyboard.press("Space");
  expect(await page.getAttribute("#auto", "aria-checked")).toBe("true");
  await page.keyboard.press("Space");
  await page.keyboard.press("Shift+Tab");
  const total = await page.textContent("#total");
  await page.keyboard.press("Enter");
  await expect.poll(() => page.textContent("#total")).not.toBe(total);
  expect(await focused()).toBe("refresh");
  await page.close();
});

test("the way of a request moves, unless the person wants no motion", async () => {
  for (const reducedMotion of ["reduce", "no-preference"] as const) {
    const { page } = await open({ reducedMotion });
    await refresh(page);
    const moving = () => page.evaluate<number>("document.getAnimations().length");
    if (reducedMotion === "reduce") expect(await moving()).toBe(0);
    else await expect.poll(moving).toBeGreaterThan(0);
    expect(await page.locator(".link.taken").count()).toBe(2);
    await page.close();
  }
});

test("without a script the page shows its answer in Indonesian, and no part that would do nothing", async () => {
  const { page } = await open({ javaScriptEnabled: false });
  expect(backends).toContain(await page.textContent("#container"));
  expect(await page.textContent("h1")).toBe(words.id.message);
  for (const selector of ["#drawing", ".languages", "#auto"])
    expect([selector, await page.isVisible(selector)]).toEqual([selector, false]);
  await page.click("#refresh");
  expect(backends).toContain(await page.textContent("#container"));
  await page.close();
});

const views = [
  ["phone", 320, 740, "light", "id"],
  ["desktop", 1280, 800, "dark", "en"],
  ["phone", 390, 844, "dark", "en"],
  ["desktop", 1280, 800, "light", "id"],
] as const;
test.each(someByDay(views, 2))(
  "%s, %i px, %i px, %s, in %s: everything fits, stays still, is accessible, and is small",
  async (device, width, height, colorScheme, language) => {
    for (const stopped of [false, true]) {
      const page = await browser.newPage({ viewport: { width, height }, colorScheme });
      let states: Backends = Object.fromEntries(backends.map((name) => [name, alive]));
      await page.route(`**${statesPath}`, (route) => route.fulfill({ json: { balancer, backends: states } }));
      const bytes = await transferred(page);
      await page.addInitScript((chosen) => localStorage.setItem("workshop.language", chosen), language);
      await measure(page);
      await page.goto(home);
      for (const name of backends) await drawn(page, name, true).waitFor();
      expect(bytes(), "bytes of the first page").toBeLessThan(25 * 1024);
      if (stopped) states = { ...states, [first]: null };
      await drawn(page, first, !stopped).waitFor();
      await refresh(page);
      const name = `visits-${device}-${width}-${colorScheme}-${language}${stopped ? "-stopped" : ""}`;
      expect(await moved(page), `${name}: layout shift`).toEqual([]);
      await page.screenshot({ path: `${screenshots}/${name}.png`, fullPage: true });
      expect(await page.evaluate("document.documentElement.scrollWidth"), name).toBeLessThanOrEqual(width);
      const cut = await page.evaluate(() =>
        [
          ...[...document.querySelectorAll(".slot b")].filter((each) => each.scrollWidth > each.clientWidth),
          ...[...document.querySelectorAll("#drawing g")].flatMap((host) => {
            const box = host.querySelector("rect")?.getBoundingClientRect() ?? new DOMRect();
            return [...host.querySelectorAll("text")].filter((each) => {
              const { left, right, top, bottom } = each.getBoundingClientRect();
              return left < box.left || right > box.right || top < box.top || bottom > box.bottom;
            });
          }),
        ].map((each) => each.textContent),
      );
      expect(cut, `${name}: texts that leave their box`).toEqual([]);
      expect(await axeFindings(page), name).toEqual([]);
      await page.close();
    }
  },
);

test("on a slow phone the counter is painted in time and stays still", async () => {
  const { paint, shifts } = await onSlowPhone(browser, "the counter", home, async (page) => {
    for (const name of backends) await drawn(page, name, true).waitFor();
  });
  expect(shifts).toEqual([]);
  expect(paint).toBeLessThan(PAINT_LIMIT);
});

test("the mark leads to all sites", async () => {
  const { page } = await open();
  await page.click(".brand");
  await page.waitForURL(`${home}-/`);
  await page.locator(".sites a").first().waitFor();
  await page.close();
});
