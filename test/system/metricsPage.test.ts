import { mkdirSync } from "node:fs";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { inGroup } from "../../ops/cluster/inventory.ts";
import { query } from "../../ops/cluster/prometheus.ts";
import { openBrowser } from "../../ops/lib/browser.ts";
import { localPath } from "../../ops/lib/paths.ts";
import { backends, explainByJournals, on, until } from "../lib/hosts.ts";
import { balancerAddress, request } from "../lib/http.ts";
import { someByDay, wholeNight } from "../lib/night.ts";
import { axeFindings, cutOff, measure, moved, onSlowPhone, PAINT_LIMIT, slowDown } from "../lib/page.ts";
import { metricsLogin, metricsSite, metricsUrl, traffic } from "../lib/prometheus.ts";

beforeEach(explainByJournals);
const home = `${metricsUrl}/`;
const [monitor = ""] = inGroup("monitoring").map(({ name }) => name);
const screenshots = localPath("reports", "screenshots");
const metrics = [
  "requests",
  "p95",
  "errors",
  "database",
  "cpu",
  "memory",
  "disk",
  "network",
  "connections",
  "cache",
  "certificate",
];
const phone = { width: 390, height: 844 };
const smallPhone = { width: 320, height: 640 };
const desktop = { width: 1280, height: 800 };
const work = `uji ${Date.now()}`;
let browser: Browser;
let stop: () => Promise<void>;

beforeAll(async () => {
  mkdirSync(screenshots, { recursive: true });
  stop = traffic();
  const planned = (action: string) =>
    on(monitor, `for kind in deploy drill; do halo-planned ${action} $kind "${work}" 60; done`);
  await planned("begin");
  browser = await openBrowser(metricsSite, balancerAddress);
  await until(
    "the metrics of the traffic",
    90_000,
    async () => (await query("site:latency_seconds:p95_1m > 0 and database:latency_seconds:mean1m > 0")).length > 0,
  );
  await planned("end");
});
afterAll(async () => {
  await browser?.close();
  await stop?.();
});

/** Opens the page, prepared by `prepare`; its requests to other sites, and the errors of its policy, are in `wrong`. */
async function open(
  options: BrowserContextOptions = {},
  hash = "",
  prepare: (page: Page) => Promise<unknown> = async () => {},
): Promise<{ page: Page; wrong: string[] }> {
  // Whether a browser trusts the certificate is tls.test.ts' question.
  const page = await browser.newPage({
    viewport: desktop,
    ignoreHTTPSErrors: true,
    httpCredentials: metricsLogin(),
    ...options,
  });
  page.setDefaultTimeout(20_000);
  const wrong: string[] = [];
  page.on("request", (each) => {
    if (!each.url().startsWith(home)) wrong.push(each.url());
  });
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") wrong.push(message.text());
  });
  await prepare(page);
  await page.goto(home + hash);
  return { page, wrong };
}

/** How many pixels of an element's canvas, in its first rows or in all, have one of these CSS colours. */
const paintedIn = (page: Page, selector: string, rows: number | undefined, colours: string[]) =>
  page.evaluate(
    ([selector, rows, colours]) => {
      const canvas = document.querySelector<HTMLCanvasElement>(`${selector} canvas`);
      if (!canvas) return 0;
      const parts = colours.map((each) => (each.match(/\d+/g) ?? []).map(Number));
      const data = canvas.getContext("2d")?.getImageData(0, 0, canvas.width, rows ?? canvas.height).data ?? [];
      const near = (i: number) =>
        parts.some((each) => each.every((part, k) => Math.abs(part - (data[i + k] ?? 0)) < 40));
      let count = 0;
      for (let i = 0; i < data.length; i += 4) if ((data[i + 3] ?? 0) > 200 && near(i)) count++;
      return count;
    },
    [selector, rows, colours] as const,
  );

/** How many pixels of a metric's chart have the colour of one of its lines. */
const painted = async (page: Page, id: string) => {
  const colours = await page.$$eval(`#${id} .legend i`, (all) =>
    all.map((each) => getComputedStyle(each).borderTopColor),
  );
  return paintedIn(page, `#${id}`, undefined, colours);
};
const curves = (page: Page) =>
  expect
    .poll(() => Promise.all(metrics.map((id) => painted(page, id))), { timeout: 30_000 })
    .toEqual(metrics.map(() => expect.toSatisfy((count: number) => count > 5)));

test("nobody comes in without the password, and the page with all it names is under 100 KiB", async () => {
  const bare = await request("/", { headers: { Host: metricsSite } });
  expect([bare.status, bare.headers["www-authenticate"]]).toEqual([401, expect.stringMatching(/^Basic /)]);
  expect((await request("/prometheus/api/v1/alerts", { headers: { Host: metricsSite } })).status).toBe(401);
  const { page } = await open();
  await curves(page);
  const weight = await page.evaluate<number>(
    `performance.getEntries().filter(({ name }) => !name.includes("/api/")).reduce((sum, { encodedBodySize = 0 }) => sum + encodedBodySize, 0)`,
  );
  expect(weight).toBeGreaterThan(10_000);
  expect(weight).toBeLessThan(100 * 1024);
  await page.close();
});

test("the login may be a part of the address", async () => {
  const { username, password } = metricsLogin();
  const page = await browser.newPage({ ignoreHTTPSErrors: true });
  await page.goto(home.replace("://", `://${username}:${encodeURIComponent(password)}@`));
  await expect.poll(() => page.textContent("#requests .now b"), { timeout: 20_000 }).toMatch(/\d/);
  expect(await page.title()).not.toContain("Prometheus is away");
  await page.close();
});

test("every metric has its value and its curves at 5 min and at 1 h, by the page's own means alone", async () => {
  const { page, wrong } = await open({}, "#5m");
  await curves(page);
  for (const id of metrics)
    await expect.poll(() => page.textContent(`#${id} .now b`), { timeout: 20_000 }).toMatch(/\d/);
  expect(await page.locator("#requests .legend li").allTextContents()).toEqual(
    ["site", ...backends].map((name) => expect.stringMatching(new RegExp(`^${name}[\\d.,]+ /s$`))),
  );
  expect(await page.locator("#connections .now").textContent()).toMatch(/^\d+of \d+/);
  expect(await page.textContent("#requests-words")).toMatch(/^Last 5 minutes: site [\d.,]+ \/s now, between /);
  await page.getByRole("link", { name: "Last 1 h" }).click();
  await page.locator('#ranges [aria-current="true"]', { hasText: "1 h" }).waitFor();
  await page.locator("#requests-words", { hasText: "Last hour" }).waitFor({ state: "attached" });
  await curves(page);
  await page.locator("#skip").press("Enter");
  expect(await page.evaluate("document.activeElement.id")).toBe("main");
  expect(await page.locator('#ranges [aria-current="true"]').textContent()).toBe("Last 1 h");
  await page.screenshot({ path: `${screenshots}/metrics-1h.png`, fullPage: true });
  expect(wrong).toEqual([]);
  await page.close();
});

test("a deploy and a drill are marked and listed, with the time that they took", async () => {
  const { page, wrong } = await open({}, "#5m");
  for (const kind of ["deploy", "drill"])
    await expect
      .poll(() => page.locator(`#marks [data-kind="${kind}"]`, { hasText: work }).textContent(), { timeout: 30_000 })
      .toMatch(/, \d+ s$/);
  // They began in the same second: one flag covers the other.
  const colours = ["deploy", "drill"].map((kind) =>
    page.$eval(`.mark-${kind}`, (each) => getComputedStyle(each).color),
  );
  const flag = await paintedIn(page, "#requests", 12, await Promise.all(colours));
  expect(flag).toBeGreaterThan(10);
  expect(wrong).toEqual([]);
  await page.close();
});

test("each run of a drill is a mark of its own, at the same time in every range; an end without a begin is none", async () => {
  const twice = `dua ${Date.now()}`;
  await on(
    monitor,
    `for i in 1 2; do halo-planned begin drill "${twice}" 60; sleep 1; halo-planned end drill "${twice}"; done; halo-planned end drill "yatim ${twice}"`,
  );
  const { page } = await open({}, "#15m");
  const mine = page.locator("#marks li", { hasText: twice });
  const times = () => mine.locator("time").evaluateAll((all) => all.map((each) => each.getAttribute("datetime")));
  await expect.poll(times, { timeout: 30_000 }).toHaveLength(2);
  const short = await times();
  await page.getByRole("link", { name: "Last 24 h" }).click();
  await page.locator("#requests-words", { hasText: "Last 24 hours" }).waitFor({ state: "attached" });
  expect(await times()).toEqual(short);
  expect(await page.locator("#marks li", { hasText: "yatim" }).count()).toBe(0);
  for (const text of await mine.locator("span").allTextContents()) expect(text).toMatch(/, \d+ s$/);
  await page.close();
});

test("a refresh asks for the new points alone", async () => {
  const { page } = await open({}, "#15m");
  await curves(page);
  await page.evaluate("performance.clearResourceTimings()");
  const asked: URL[] = [];
  page.on("request", (each) => asked.push(new URL(each.url())));
  const ranges = () => asked.filter(({ pathname }) => pathname.endsWith("query_range"));
  await expect.poll(() => ranges().length, { timeout: 40_000 }).toBeGreaterThan(wholeNight ? 2 : 0);
  for (const { searchParams } of ranges())
    expect(Number(searchParams.get("end")) - Number(searchParams.get("start"))).toBeLessThanOrEqual(60);
  const bytes = await page.evaluate<number>(
    `performance.getEntriesByType("resource").reduce((sum, { transferSize }) => sum + transferSize, 0)`,
  );
  console.log(`a refresh of the metrics page: ${Math.round(bytes / ranges().length)} bytes`);
  expect(bytes / ranges().length).toBeLessThan(10_000);
  await page.close();
});

/** Waits until the page has asked Prometheus once more. */
async function refreshed(page: Page): Promise<void> {
  const before = await page.textContent("#asked");
  await expect.poll(() => page.textContent("#asked"), { timeout: 30_000 }).not.toBe(before);
}

test("nothing moves on a slow phone, from the first paint to the next refreshes", async () => {
  const { page, wrong } = await open({ viewport: phone }, "#15m", async (page) => {
    await measure(page);
    await slowDown(page);
  });
  await curves(page);
  await refreshed(page);
  // A longer number, beside which its unit moves.
  await page.evaluate(() => {
    const ask = window.fetch;
    window.fetch = async (url, options) => {
      const answer = await (await ask(url, options)).json();
      for (const { metric, value } of answer.data.result ?? [])
        if (value && metric.line === "requests 0") value[1] = "123456";
      return Response.json(answer);
    };
  });
  await expect.poll(() => page.textContent("#requests .now"), { timeout: 30_000 }).toMatch(/123.*\/s/);
  await refreshed(page);
  expect(await moved(page)).toEqual([]);
  expect(wrong).toEqual([]);
  await page.close();
});

test.each([
  ["the metrics page", home, curves],
  ["the runbook", `${home}runbook.html`, (page: Page) => page.locator("h1").waitFor()],
] as const)("on a slow phone %s is painted in time and stays still", async (name, url, ready) => {
  const options = { ignoreHTTPSErrors: true, httpCredentials: metricsLogin() };
  const { paint, shifts } = await onSlowPhone(browser, name, url, ready, options);
  expect(shifts).toEqual([]);
  expect(paint).toBeLessThan(PAINT_LIMIT);
});

test("the page reports Prometheus away and keeps the last values; all goes on by itself when it is back", async () => {
  const { page } = await open({}, "#5m");
  await curves(page);
  const known = await page.textContent("#disk .now b");
  try {
    await on(monitor, "systemctl stop prometheus");
    await page.locator("h1", { hasText: "Prometheus is away" }).waitFor();
    expect(await page.textContent("#lost")).toMatch(/HTTP 50\d\)\. The values are as of \d\d:\d\d:\d\d/);
    expect(await page.textContent("#disk .now b")).toBe(known);
    expect(await painted(page, "requests")).toBeGreaterThan(5);
    await page.screenshot({ path: `${screenshots}/metrics-away.png`, fullPage: true });
  } finally {
    await on(monitor, "systemctl start prometheus");
  }
  await page.locator("#lost:empty").waitFor({ state: "attached", timeout: 60_000 });
  expect(await page.textContent("h1")).not.toContain("away");
  await page.close();
});

/** An answer of Prometheus' API. */
const answer = (data: unknown) => ({ json: { status: "success", data } });

test("the verdict counts metrics out of bounds beside alerts, and leads to their cards", async () => {
  const { page } = await open({}, "#5m");
  const lines = { "cpu 0": 0.95, "p95 0": 0.5, "disk 0": 0.5 };
  await page.route("**/api/v1/alerts*", (route) => route.fulfill(answer({ alerts: [] })));
  await page.route("**/api/v1/query?*", (route) =>
    route.fulfill(
      answer({
        result: [
          { metric: { __name__: "up", job: "service", instance: "backend1/demo/0", app: "demo" }, value: [0, "1"] },
          ...Object.entries(lines).map(([line, value]) => ({
            metric: { line, ...(!line.startsWith("p95") && { host: "backend1" }) },
            value: [0, String(value)],
          })),
        ],
      }),
    ),
  );
  await page.reload();
  await page.locator("h1", { hasText: "No alert; 2 metrics out of bounds" }).waitFor();
  expect(await page.getAttribute("#verdict", "class")).toBe("worse");
  expect(await page.locator("#alerts .out a").allTextContents()).toEqual(["Response time, p95", "CPU"]);
  await page.locator("#alerts .out a", { hasText: "CPU" }).click();
  expect(await page.evaluate("document.activeElement.id")).toBe("cpu");
  expect(page.url()).toBe(`${home}#5m`);
  await page.close();
});

test("advice on the number of backends stands beside a verdict that all is well", async () => {
  const { page } = await open({}, "#5m");
  await page.route("**/api/v1/alerts*", (route) => route.fulfill(answer({ alerts: [] })));
  const up = backends.map((host) => ({ __name__: "up", job: "service", host, app: "demo" }));
  const result = [
    ...up.map((metric) => ({ metric, value: [0, "1"] })),
    { metric: { line: "cpu 0", host: "backend1" }, value: [0, "0.5"] },
    { metric: { line: "steady" }, value: [0, String(0.7 * backends.length)] },
  ];
  await page.route("**/api/v1/query?*", (route) => route.fulfill(answer({ result })));
  await page.reload();
  const advice = page.locator("#alerts .advice");
  expect(await advice.textContent()).toMatch(/^Advice\d+ backends instead of .*70 % busy.*npm run scale/);
  expect(await page.textContent("h1")).toBe("All is well");
  await page.close();
});

test("an alert leads to its section of the runbook, and to the card that shows its reason", async () => {
  const { page, wrong } = await open();
  const firing = (alertname: string) => ({
    labels: { alertname, severity: "warning" },
    annotations: { summary: "it is", runbook: `docs/runbook.md#${alertname.toLowerCase()}` },
    state: "firing",
    activeAt: "2026-01-01T00:00:00Z",
  });
  await page.route("**/api/v1/alerts*", (route) =>
    route.fulfill(answer({ alerts: [firing("SiteSlow"), firing("ClockWrong")] })),
  );
  await page.reload();
  const alert = page.locator("#alerts li", { hasText: "SiteSlow" });
  await alert.waitFor();
  expect(await alert.locator("a").allTextContents()).toEqual(["Runbook", "Response time, p95"]);
  expect(await page.locator("#alerts li", { hasText: "ClockWrong" }).locator("a").allTextContents()).toEqual([
    "Runbook",
  ]);
  await alert.locator("a").first().click();
  await page.waitForURL(`${home}runbook.html#siteslow`);
  expect(await page.locator(":target").textContent()).toBe("SiteSlow");
  expect(await page.locator(":target").boundingBox()).toMatchObject({ y: expect.toSatisfy((y: number) => y < 200) });
  for (const width of [320, 1280]) {
    await page.setViewportSize({ width, height: 740 });
    expect(await cutOff(page)).toEqual([]);
  }
  expect(await axeFindings(page)).toEqual([]);
  await page.screenshot({ path: `${screenshots}/runbook.png` });
  expect(wrong).toEqual([]);
  await page.close();
});

test("no label of an axis is cut, at 24 h and on a small phone as well", async () => {
  const { page } = await open({ viewport: smallPhone }, "#24h");
  // A young cluster has no curve of a day yet, and its axes all the same.
  const drawn = () =>
    page.$$eval("canvas", (all) =>
      all.map((canvas) => {
        const { data = [] } =
          canvas.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height) ?? ({} as Partial<ImageData>);
        return data.some((value, i) => i % 4 === 3 && value > 0);
      }),
    );
  await expect.poll(drawn, { timeout: 30_000 }).toEqual(metrics.map(() => true));
  const edges = await page.$$eval("canvas", (all) =>
    all.map((canvas) => {
      const { data = [] } =
        canvas.getContext("2d")?.getImageData(canvas.width - 1, 0, 1, canvas.height) ?? ({} as Partial<ImageData>);
      return [...data].filter((value, i) => i % 4 === 3 && value > 0).length;
    }),
  );
  expect(edges).toEqual(metrics.map(() => 0));
  await page.close();
});

test("alerts and targets that do not answer stand on top, the worst first; a page without metrics says so", async () => {
  const { page } = await open();
  const alert = (alertname: string, severity: string, state: string) => ({
    labels: { alertname, severity },
    annotations: { summary: `${alertname} it is` },
    state,
    activeAt: "2026-01-01T00:00:00Z",
  });
  await page.route("**/api/v1/alerts*", (route) =>
    route.fulfill(
      answer({
        alerts: [
          alert("Watchdog", "info", "firing"),
          alert("SiteSlow", "warning", "firing"),
          alert("BackendDown", "critical", "firing"),
          alert("CpuHigh", "warning", "pending"),
        ],
      }),
    ),
  );
  await page.route("**/api/v1/query?*", (route) =>
    route.fulfill(
      answer({
        result: ["0", "1"].map((up, i) => ({
          metric: { __name__: "up", job: "service", instance: `backend${i + 1}/demo/0` },
          value: [0, up],
        })),
      }),
    ),
  );
  await page.reload();
  await page.locator("h1", { hasText: "2 alerts; 1 target is down" }).waitFor();
  expect(await page.locator("#alerts b").allTextContents()).toEqual(["BackendDown", "SiteSlow", "Not answering"]);
  expect(await page.locator("#alerts .down").textContent()).toContain("backend1/demo/0 (service)1 of 2 targets are up");
  await page.screenshot({ path: `${screenshots}/metrics-alerts.png` });

  await page.route("**/api/v1/alerts*", (route) => route.fulfill(answer({ alerts: [] })));
  await page.route("**/api/v1/query*", (route) => route.fulfill(answer({ result: [] })));
  await page.reload();
  await page.locator("h1", { hasText: "Prometheus has no metrics yet" }).waitFor();
  expect(await page.locator("#cpu .nothing").textContent()).toBe("no data in the last 15 minutes");
  await page.close();
});

test("a question that is out of date is dropped, and nothing is asked while the page is hidden", async () => {
  const { page } = await open();
  await page.clock.install();
  const asked: string[] = [];
  page.on("request", (each) => asked.push(each.url()));
  await page.evaluate(() => {
    const ask = window.fetch;
    const dropped: string[] = [];
    Object.assign(window, { dropped });
    window.fetch = (url, options) => {
      options?.signal?.addEventListener("abort", () => dropped.push(String(url)));
      return ask(url, options);
    };
  });
  await page.route("**/query_range*", () => {}); // no answer at all
  await page.goto(`${home}#6h`);
  await expect.poll(() => asked.filter((url) => url.includes("step=90")).length).toBe(1);
  await page.unroute("**/query_range*");
  await page.getByRole("link", { name: "Last 5 min" }).click();
  await page.locator("#requests-words", { hasText: "Last 5 minutes" }).waitFor({ state: "attached" });
  expect(await page.evaluate(`dropped.filter((url) => url.includes("step=90")).length`)).toBe(1);

  const setHidden = (hidden: boolean) =>
    page.evaluate((value) => {
      Object.defineProperty(document, "hidden", { value, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
  await setHidden(true);
  const before = asked.length;
  await page.clock.fastForward(600_000);
  expect(asked.length).toBe(before);
  await setHidden(false);
  await expect.poll(() => asked.length).toBeGreaterThan(before);
  await page.close();
});

test("a keyboard comes to every point of time, and hears its values", async () => {
  const { page } = await open({}, "#5m");
  await curves(page);
  const plot = page.locator("#p95 .plot");
  await plot.focus();
  const newest = await plot.getAttribute("aria-valuetext");
  expect(newest).toMatch(/^\d\d:\d\d:\d\d: [\d.]+ ms$/);
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("ArrowLeft");
  const earlier = await plot.getAttribute("aria-valuetext");
  expect(earlier?.slice(0, 8)).not.toBe(newest?.slice(0, 8));
  // The other metrics show the same moment.
  expect(await page.locator("#cpu .now small").textContent()).toContain(earlier?.slice(0, 8));
  await page.keyboard.press("Escape");
  await expect.poll(() => page.locator("#cpu .now small").textContent()).not.toContain(":");
  await page.close();
});

const devices = [
  ["small-phone", smallPhone, "light"],
  ["desktop", desktop, "dark"],
  ["phone", phone, "light"],
  ["phone", phone, "dark"],
  ["small-phone", smallPhone, "dark"],
  ["desktop", desktop, "light"],
] as const;
test.each(someByDay(devices, 2))(
  "on a %s %o in %s nothing is cut off, and axe finds nothing",
  async (name, viewport, colorScheme) => {
    const { page, wrong } = await open({ viewport, colorScheme }, "#5m");
    await curves(page);
    await page.screenshot({ path: `${screenshots}/metrics-${name}-${colorScheme}.png`, fullPage: true });
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(viewport.width);
    expect(await cutOff(page)).toEqual([]);
    expect(await axeFindings(page)).toEqual([]);
    expect(wrong).toEqual([]);
    await page.close();
  },
);
