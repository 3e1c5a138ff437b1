import { mkdirSync } from "node:fs";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { siteFor, urlOf } from "../../ops/cluster/sites.ts";
import { openBrowser } from "../../ops/lib/browser.ts";
import { localPath } from "../../ops/lib/paths.ts";
import { backends, explainByJournals } from "../lib/hosts.ts";
import { balancerAddress, request } from "../lib/http.ts";
import { atNight, someByDay } from "../lib/night.ts";
import { axeFindings, measure, moved, onSlowPhone, PAINT_LIMIT, transferred } from "../lib/page.ts";

beforeEach(explainByJournals);
const workshop = siteFor("/api/");
const site = workshop.domain;
const home = `${urlOf(workshop)}/`;
const screenshots = localPath("reports", "screenshots");
const run = Date.now().toString(36).toUpperCase();
const phone = { width: 320, height: 690 };
const largePhone = { width: 390, height: 844 };
const desktop = { width: 1280, height: 800 };
let browser: Browser;

beforeAll(async () => {
  mkdirSync(screenshots, { recursive: true });
  browser = await openBrowser(site, balancerAddress);
});
afterAll(() => browser?.close());

type Json = Record<string, unknown>;
type Job = {
  id: number;
  version: number;
  status: string;
  price: string;
  notes: string | null;
  completed_at: string | null;
};
type Made = { customer: { id: number }; vehicle: { id: number; plate: string }; service: Job };

async function api<T>(method: string, path: string, body?: Json, headers: Record<string, string> = {}): Promise<T> {
  const answer = await request(
    `/api${path}`,
    { method, headers: { Host: site, "Content-Type": "application/json", ...headers } },
    body && JSON.stringify(body),
  );
  expect(answer.status, `${method} ${path}: ${answer.body}`).toBeLessThan(300);
  return JSON.parse(answer.body || "null");
}

let count = 0;
const left: Made[] = [];
/** A customer, a vehicle and a job of today, of this test's own, taken away after it. */
async function make(service: Json = {}): Promise<Made> {
  const plate = `T ${++count} ${run}`;
  const made = await api<Made>("POST", "/intake", {
    customer: { name: `Ayu Uji ${count} ${run}`, phone: "0812-0000-0001" },
    vehicle: { plate, make: "Toyota", model: "Avanza", year: 2020 },
    service: {
      kind: "Ganti oli",
      price: "150000",
      scheduled_at: new Date().toISOString(),
      status: "scheduled",
      ...service,
    },
  });
  left.push(made);
  return made;
}

async function takeAway(): Promise<void> {
  for (const { service, vehicle, customer } of left.splice(0))
    for (const path of [`/services/${service.id}`, `/vehicles/${vehicle.id}`, `/customers/${customer.id}`])
      await api("DELETE", path, undefined, { "If-Match": "*" });
}
afterEach(takeAway);

async function open(options: BrowserContextOptions, hash = ""): Promise<Page> {
  const page = await browser.newPage({ viewport: desktop, timezoneId: "Asia/Makassar", ...options });
  page.setDefaultTimeout(20_000);
  await page.goto(home + hash);
  await idle(page);
  return page;
}

const idle = (page: Page) => page.locator('main[aria-busy="false"]').waitFor();
const focusedKey = (page: Page) =>
  page.evaluate<string>(
    "document.activeElement.dataset.key ?? document.activeElement.name ?? document.activeElement.tagName",
  );
const card = (page: Page, plate: string) => page.locator(".card:visible", { hasText: plate });

/** Presses Tab until the focus is where it is wanted: an element that a keyboard cannot reach is never found. */
async function tabTo(page: Page, key: string): Promise<void> {
  for (let i = 0; i < 300; i++) {
    if ((await focusedKey(page)) === key) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`Tab does not come to ${key}`);
}

async function fill(page: Page, texts: Record<string, string>): Promise<void> {
  for (const [name, text] of Object.entries(texts)) {
    await tabTo(page, name);
    await page.keyboard.type(text);
  }
}

test.each([
  ["id", "phone", phone, "Hari ini", "Rp 1.250.000"],
  ["en", "desktop", desktop, "Today", "Rp 1,250,000"],
] as const)(
  "in %s on a %s, by keyboard only: take in a car, finish the job, find its owner, delete everything",
  async (language, _, viewport, today, price) => {
    const plate = `K ${++count} ${run}`;
    const page = await open({ viewport });
    expect(await page.locator("html").getAttribute("lang")).toBe("id");
    if (language === "en") {
      await tabTo(page, "language-en");
      await page.keyboard.press("Enter");
      await page.reload();
      await idle(page);
    }
    expect(await page.locator("html").getAttribute("lang")).toBe(language);
    expect(await page.textContent("h1")).toBe(today);

    await page.keyboard.press("n");
    await idle(page);
    await fill(page, {
      "customer-name": `Sri Kunci ${run} ${language}`,
      "customer-phone": "0813-1111-2222",
      "vehicle-plate": plate.toLowerCase(),
      "vehicle-year": "2021",
      "vehicle-make": "Honda",
      "vehicle-model": "Brio",
      "service-kind": "Servis berkala",
      "service-price": "1.250.000",
    });
    await page.keyboard.press("Control+Enter");
    await card(page, plate).waitFor();
    expect(await card(page, plate).textContent()).toContain(price.replace(" ", "\u00a0"));
    const edit = await focusedKey(page);
    expect(edit).toMatch(/^job-\d+-edit$/);
    expect(
      await page.evaluate("sessionStorage.getItem('workshop.draft')"),
      "the draft of a job that is saved",
    ).toBeNull();

    // Scheduled, then in progress, then done: the first move of its card, wherever the card is.
    const id = Number(edit.split("-")[1]);
    for (const status of ["in_progress", "done"]) {
      const tab = `tab-${status === "done" ? "in_progress" : "scheduled"}`;
      if (await page.locator(`[data-key="${tab}"]`).isVisible()) {
        await tabTo(page, tab);
        await page.keyboard.press("Enter");
      }
      await tabTo(page, `job-${id}-move0`);
      await page.keyboard.press("Enter");
      await expect.poll(async () => (await api<Job>("GET", `/services/${id}`)).status).toBe(status);
    }
    await page.locator(".notice", { hasText: language === "id" ? "selesai" : "done" }).waitFor();
    await page.keyboard.press("u");
    await expect.poll(async () => (await api<Job>("GET", `/services/${id}`)).status).toBe("in_progress");

    await page.keyboard.press("/");
    await expect.poll(() => focusedKey(page)).toBe("find");
    // Words in another order, and a part of the plate.
    await page.keyboard.type(`kunci ${plate.replaceAll(" ", "").slice(1, -1).toLowerCase()} sri`);
    await page.locator("#found a", { hasText: run }).waitFor();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await expect.poll(() => page.textContent("h1")).toBe(`Sri Kunci ${run} ${language}`);
    await idle(page);

    await tabTo(page, "edit-customer");
    await page.keyboard.press("Enter");
    await tabTo(page, "customer-email");
    await page.keyboard.type("sri@contoh.id");
    await page.keyboard.press("Enter");
    await page.getByText("sri@contoh.id").waitFor();
    await expect.poll(() => focusedKey(page)).toBe("edit-customer");

    // A customer with a vehicle stays: the dialog names the records that still belong to it.
    const erase = async (key: string) => {
      await tabTo(page, key);
      await page.keyboard.press("Enter");
      await tabTo(page, "delete");
      await page.keyboard.press("Enter");
      await page.locator('[data-key="yes"]').waitFor();
      await tabTo(page, "yes");
      await page.keyboard.press("Enter");
    };
    await erase("edit-customer");
    await expect
      .poll(() => page.locator("dialog .fault").textContent())
      .toContain(language === "id" ? "1 kendaraan" : "1 vehicle");
    await page.keyboard.press("Escape");
    await expect.poll(() => page.locator("dialog").count()).toBe(0);
    const vehicle = await page.locator(".car [data-key]").getAttribute("data-key");
    const owner = page.url();
    await tabTo(page, `job-${id}-page`);
    await page.keyboard.press("Enter");
    await page.locator('[data-key="edit-job"]').waitFor();
    await erase("edit-job");
    await page.locator(".board").waitFor();
    await page.goto(owner);
    await idle(page);
    for (const key of [vehicle ?? "", "edit-customer"]) {
      await erase(key);
      await expect.poll(() => page.locator("dialog").count()).toBe(0);
      if (key !== "edit-customer") await expect.poll(() => page.locator(`[data-key="${key}"]`).count()).toBe(0);
    }
    await expect.poll(() => page.url()).toContain("#/customers");
    await page.close();
  },
);

test("wrong fields have a message beside them in the chosen language, the first one has the focus, nothing typed is lost", async () => {
  const page = await open({}, "#/new");
  await fill(page, {
    "customer-name": "Wayan Uji",
    "customer-phone": "12",
    "vehicle-year": "1800",
    "vehicle-vin": "IOQ",
  });
  await page.keyboard.press("Control+Enter");
  await page.locator("[aria-invalid=true]").first().waitFor();
  expect(await focusedKey(page)).toBe("customer-phone");
  const messageOf = (name: string) =>
    page
      .locator(`[name="${name}"]`)
      .evaluate((input) => document.getElementById(input.getAttribute("aria-describedby") ?? "")?.textContent);
  expect(await messageOf("customer-phone")).toContain("Paling sedikit 5 angka");
  expect(await messageOf("vehicle-plate")).toBe("Wajib diisi.");
  expect(await messageOf("vehicle-year")).toContain("antara 1900 dan");
  expect(await messageOf("vehicle-vin")).toContain("17 huruf");
  expect(await messageOf("customer-name")).toBe("");
  await page.getByRole("button", { name: "EN, English" }).click();
  expect(await messageOf("vehicle-plate")).toBe("This is needed.");
  expect(await page.title()).toBe("New job · Halo Workshop");
  await page.getByRole("button", { name: "Clear" }).click();
  expect(await page.locator("[aria-invalid=true]").count()).toBe(0);
  await page.locator(".notice button", { hasText: "Undo" }).click();
  await expect.poll(() => page.inputValue('[name="customer-name"]')).toBe("Wayan Uji");
  await page.reload();
  await idle(page);
  expect(await page.inputValue('[name="customer-name"]')).toBe("Wayan Uji");
  expect(await page.inputValue('[name="vehicle-vin"]')).toBe("IOQ");
  await page.close();
});

test("the fields of a new job follow each other as they stand, from left to right", async () => {
  const page = await open({ viewport: desktop }, "#/new");
  const places = await page.locator("form .step").evaluateAll((steps) =>
    steps.map((step) =>
      [...step.querySelectorAll("input, textarea")].map((input) => {
        const { top, left } = input.getBoundingClientRect();
        return [Math.round(top), Math.round(left)] as const;
      }),
    ),
  );
  for (const place of places) expect(place).toEqual(place.toSorted((a, b) => a[0] - b[0] || a[1] - b[1]));
  await page.close();
});

test("a dialog fits on a small phone, and begins with the values that the API has by then", async () => {
  const made = await make();
  const page = await open({ viewport: phone }, "#/today");
  await page.route("**/api/services?**", () => {}); // the board keeps its copy
  await api("PATCH", `/services/${made.service.id}`, { price: "99000" }, { "If-Match": "*" });
  await page.locator(`[data-key="job-${made.service.id}-edit"]`).click();
  await page.locator('[name="service-price"]').waitFor();
  expect(await page.inputValue('[name="service-price"]')).toBe("99.000");
  expect(
    await page.evaluate("document.querySelector('dialog').scrollWidth <= document.querySelector('dialog').clientWidth"),
  ).toBe(true);

  await page.locator("dialog [data-key=delete]").click();
  await page.locator("[data-key=yes]").waitFor();
  expect(await page.locator("dialog", { hasText: "Menyimpan" }).count()).toBe(0);
  await page.keyboard.press("Escape");

  await page.fill('[name="service-price"]', "1,5jt");
  await page.keyboard.press("Enter");
  await expect.poll(async () => (await api<Job>("GET", `/services/${made.service.id}`)).price).toBe("1500000.00");
  await page.close();
});

test("a date that is typed in part is refused and not saved as none; Back asks before it leaves a typed text", async () => {
  const made = await make({ status: "done" });
  const path = `/services/${made.service.id}`;
  const paid = { paid_at: "2026-11-21T03:00:00.000Z" };
  await api("PATCH", path, paid, { "If-Match": "*" });
  const page = await open({ locale: "id-ID" }, "#/today");
  const address = `${home}#/jobs/${made.service.id}`;
  await page.goto(address);
  await page.locator("[data-key=edit-job]").click();
  await page.locator('[name="service-paid_at"]').focus();
  await page.keyboard.press("Delete");
  await page.keyboard.press("Control+Enter");
  await page.locator(".field-paid_at .error", { hasText: "Lengkapi tanggal dan jam" }).waitFor();
  expect(await api("GET", path)).toMatchObject(paid);

  const question = page.locator("dialog", { hasText: "Buang yang sudah diketik?" });
  await page.fill('[name="service-notes"]', "Belum disimpan");
  await page.goBack();
  await question.waitFor();
  await page.keyboard.press("Escape");
  await question.waitFor({ state: "detached" });
  expect(page.url()).toBe(address);
  expect(await page.inputValue('[name="service-notes"]')).toBe("Belum disimpan");
  await page.goBack();
  await page.locator("[data-key=yes]").click();
  await page.locator("dialog").first().waitFor({ state: "detached" });
  expect(page.url()).not.toBe(address);
  await page.close();
});

test("a deletion that meets another change keeps the typed text, and shows the other change", async () => {
  const made = await make();
  const page = await open({}, `#/jobs/${made.service.id}`);
  await page.locator("[data-key=edit-job]").click();
  await page.fill('[name="service-notes"]', "Tunggu suku cadang");
  await api("PATCH", `/services/${made.service.id}`, { mechanic: "Joko" }, { "If-Match": "*" });
  await page.locator("dialog [data-key=delete]").click();
  await page.locator("[data-key=yes]").click();
  await page.locator("dialog .fault", { hasText: "baru saja diubah orang lain" }).waitFor();
  expect(await page.inputValue('[name="service-notes"]')).toBe("Tunggu suku cadang");
  expect(await page.inputValue('[name="service-mechanic"]')).toBe("Joko");
  await page.keyboard.press("Escape");
  await page.locator("[data-key=yes]").click();
  await page.close();
});

test("long words wrap on a small phone, and an address without a day of the calendar has no page", async () => {
  const made = await make({ description: `https://contoh.id/${"a".repeat(90)}`, notes: "b".repeat(100) });
  await api("PATCH", `/customers/${made.customer.id}`, { name: `M${"ahkota".repeat(7)}` }, { "If-Match": "*" });
  const page = await open({ viewport: phone });
  for (const hash of [
    `#/jobs/${made.service.id}`,
    `#/jobs/${made.service.id}/order`,
    `#/customers/${made.customer.id}`,
  ]) {
    await page.goto(home + hash);
    await page.getByText("ahkota").first().waitFor();
    await idle(page);
    expect([hash, await page.evaluate("document.documentElement.scrollWidth")]).toEqual([hash, phone.width]);
  }
  for (const hash of ["#/day/2026-02-31", "#/day/9999-01-01", "#/week/1899-12-31"]) {
    await page.goto(home + hash);
    await page.locator("h1", { hasText: "Halaman ini tidak ada." }).waitFor();
  }
  await page.close();
});

test("by keyboard only: two lines of a job make its total, and it is paid, and not paid again by mistake", async () => {
  const made = await make({ price: "1000" });
  const page = await open({ viewport: phone }, `#/jobs/${made.service.id}`);
  const read = () => api<Job & { line_count: number; paid_at: string | null }>("GET", `/services/${made.service.id}`);
  for (const [labour, name, quantity, price] of [
    [false, "Oli mesin", "3,5", "85rb"],
    [true, "Ganti oli", "1", "50.000"],
  ] as const) {
    await tabTo(page, "add-line");
    await page.keyboard.press("Enter");
    await page.locator('[name="line-type"]').waitFor();
    if (labour) await page.keyboard.press("ArrowDown");
    await fill(page, { "line-name": name, "line-quantity": quantity, "line-unit_price": price });
    await page.keyboard.press("Enter");
    await page.locator(".bill", { hasText: name }).waitFor();
    await expect.poll(() => focusedKey(page)).toBe("add-line");
  }
  expect(await page.textContent(".total")).toContain("347.500");
  expect(await read()).toMatchObject({ price: "347500.00", line_count: 2 });

  await tabTo(page, "edit-job");
  await page.keyboard.press("Enter");
  expect(await page.getAttribute('[name="service-price"]', "readonly")).toBe("");
  await page.keyboard.press("Escape");

  await tabTo(page, "pay");
  await page.keyboard.press("Enter");
  await page.locator(".paid", { hasText: "Lunas" }).waitFor();
  expect((await read()).paid_at).toMatch(/:00\.000Z$/);
  await page.keyboard.press("u");
  await page.locator(".unpaid").waitFor();
  expect((await read()).paid_at).toBeNull();
  await page.close();
});

type Bill = Job & { paid_at: string | null; remind_at: string | null };

test("a total that somebody else has changed is shown before the job is paid", async () => {
  const { service } = await make({ price: "100000" });
  const path = `/services/${service.id}`;
  const change = (body: Json) => api("PATCH", path, body, { "If-Match": "*" });
  const page = await open({}, `#/jobs/${service.id}`);
  const pay = page.locator('[data-key="pay"]');
  await change({ price: "250000" });
  await pay.press("Enter");
  await page.locator(".notice", { hasText: "Rp\u00a0250.000" }).waitFor();
  expect(await page.textContent(".total")).toContain("250.000");
  expect((await api<Bill>("GET", path)).paid_at).toBeNull();
  await change({ notes: "dari meja lain" });
  await pay.press("Enter");
  await page.locator(".paid").waitFor();
  expect(await api("GET", path)).toMatchObject({ price: "250000.00", paid_at: expect.any(String) });
  await page.close();
});

test("a paid job says that its price and its lines stay; another field leaves its times exact, and so does a payment that is undone", async () => {
  const times = { paid_at: "2026-11-21T03:04:05.678Z", remind_at: "2027-05-21T02:03:04.567Z" };
  const { service } = await make({ status: "in_progress", ...times });
  const path = `/services/${service.id}`;
  const page = await open({}, `#/jobs/${service.id}`);
  await page.getByText("Pekerjaan ini sudah lunas.").waitFor();
  expect(await page.locator('[data-key="add-line"]').count()).toBe(0);
  await page.locator('[data-key="move1"]').click();
  await page.locator(".notice", { hasText: "batalkan lunas dulu" }).waitFor();

  await page.locator('[data-key="edit-job"]').click();
  expect(await page.getAttribute('[name="service-price"]', "readonly")).toBe("");
  await page.fill('[name="service-notes"]', "x");
  await page.keyboard.press("Control+Enter");
  await expect.poll(() => page.locator("dialog").count()).toBe(0);
  expect(await api("GET", path)).toMatchObject({ status: "in_progress", notes: "x", ...times });

  await page.locator('[data-key="pay"]').click();
  await page.locator(".unpaid").waitFor();
  await page.locator("h1").focus();
  await page.keyboard.press("u");
  await page.locator(".paid").waitFor();
  expect(await api("GET", path)).toMatchObject(times);
  await page.close();
});

test("a quantity that is two numbers is refused, and so is a line of a job that somebody else marks as paid meanwhile", async () => {
  const { service } = await make();
  const pay = (paid_at: string | null) => api("PATCH", `/services/${service.id}`, { paid_at }, { "If-Match": "*" });
  const page = await open({}, `#/jobs/${service.id}`);
  await page.locator('[data-key="add-line"]').click();
  await fill(page, { "line-name": "Oli", "line-quantity": "1.500", "line-unit_price": "1" });
  await page.keyboard.press("Enter");
  await page.locator("dialog .error", { hasText: "tanpa titik ribuan" }).waitFor();
  expect(await page.inputValue('[name="line-quantity"]')).toBe("1.500");
  await page.fill('[name="line-quantity"]', "1500");
  await pay(new Date().toISOString());
  await page.keyboard.press("Enter");
  await page.locator("dialog .fault", { hasText: "sudah lunas" }).waitFor();
  await pay(null);
  await page.keyboard.press("Enter");
  await page.locator(".bill", { hasText: "1500 ×" }).waitFor();
  await page.close();
});

test("a double click makes one step: the second click meets another button, of the same job or of the next one", async () => {
  const day = "2031-04-05";
  const at = (hour: number) => ({ scheduled_at: `${day}T0${hour}:00:00Z` });
  const jobs = [await make(at(3)), await make(at(4)), await make(at(5))];
  const [first, second] = jobs.map(({ service }) => service.id);
  const page = await browser.newPage({ viewport: desktop, reducedMotion: "reduce" });
  page.setDefaultTimeout(20_000);
  await page.clock.install();
  for (const [hash, id, drawn] of [
    [`#/jobs/${first}`, first, ".head .status.is-in_progress"],
    [`#/day/${day}`, second, `.is-in_progress [data-key="job-${second}-edit"]`],
  ] as const) {
    await page.goto(home + hash);
    await idle(page);
    const button = page.locator(hash.startsWith("#/jobs") ? '[data-key="move0"]' : `[data-key="job-${id}-move0"]`);
    const { x = 0, y = 0 } = (await button.boundingBox()) ?? {};
    const click = () => page.mouse.click(x + 20, y + 20);
    // The time of the page stands still, so that a slow machine makes no slow double click.
    await page.clock.pauseAt(Date.now() + 60_000);
    await click();
    await page.locator(drawn).waitFor();
    await click();
    await page.clock.resume();
    await page.reload();
    await idle(page);
  }
  const now = await Promise.all(jobs.map(({ service }) => api<Job>("GET", `/services/${service.id}`)));
  expect(now.map(({ status }) => status)).toEqual(["in_progress", "in_progress", "scheduled"]);
  await page.close();
});

test("a front desk's day: a new customer with a car, a job with two lines, started, finished, paid, printed, found again", async () => {
  const plate = `D ${1000 + ++count} ${run}`;
  const page = await open({ viewport: desktop }, "#/new");
  await fill(page, {
    "customer-name": `Made Hari ${run}`,
    "customer-phone": "0812-7777-0001",
    "vehicle-plate": plate.toLowerCase(),
    "vehicle-year": "2021",
    "vehicle-make": "Honda",
    "vehicle-model": "Brio",
    "service-kind": "Servis berkala",
    "service-price": "350rb",
    "service-mechanic": "Wayan",
    "service-odometer": "45.000",
  });
  await page.keyboard.press("Control+Enter");
  await card(page, plate).waitFor();
  const id = Number((await focusedKey(page)).split("-")[1]);
  const job = () => api<Job & Record<string, unknown>>("GET", `/services/${id}`);
  expect(await job()).toMatchObject({ price: "350000.00", mechanic: "Wayan", odometer: 45_000 });

  await tabTo(page, `job-${id}-page`);
  await page.keyboard.press("Enter");
  for (const [name, price] of [
    ["Oli mesin", "85rb"],
    ["Jasa servis", "1,2jt"],
  ] as const) {
    await tabTo(page, "add-line");
    await page.keyboard.press("Enter");
    await fill(page, { "line-name": name, "line-quantity": "2", "line-unit_price": price });
    await page.keyboard.press("Enter");
    await page.locator(".bill", { hasText: name }).waitFor();
  }
  for (const status of ["in_progress", "done"]) {
    await tabTo(page, "move0");
    await page.keyboard.press("Enter");
    await expect.poll(async () => (await job()).status).toBe(status);
    await page.locator(`.head .status.is-${status}`).waitFor();
  }
  await tabTo(page, "pay");
  await page.keyboard.press("Enter");
  await page.locator(".paid", { hasText: "Lunas" }).waitFor();
  expect(await job()).toMatchObject({ price: "2570000.00", paid_at: expect.any(String) });
  const chat = await page.getByRole("link", { name: "WhatsApp" }).getAttribute("href");
  expect(decodeURIComponent(chat ?? "")).toContain(`https://wa.me/6281277770001?text=Halo Made Hari ${run}`);

  await tabTo(page, "nota");
  await page.keyboard.press("Enter");
  await page.locator(".paper", { hasText: "Jasa servis" }).waitFor();
  const nota = await page.textContent(".paper");
  for (const text of [plate, "Wayan", "45.000 km", "Oli mesin", "2.400.000", "2.570.000", "Lunas"])
    expect(nota).toContain(text);
  await page.evaluate("window.print = () => { window.printed = true; }");
  await tabTo(page, "print");
  await page.keyboard.press("Enter");
  expect(await page.evaluate("window.printed")).toBe(true);

  await page.keyboard.press("/");
  await expect.poll(() => focusedKey(page)).toBe("find");
  await page.keyboard.type(`${1000 + count}`);
  await page.locator("#found a", { hasText: plate }).waitFor();
  await page.close();
  const { items } = await api<{ items: Made["vehicle"][] }>("GET", `/vehicles?q=${encodeURIComponent(plate)}`);
  const service = (await job()) as unknown as Made["service"] & { customer: Made["customer"] };
  if (items[0]) left.push({ service, vehicle: items[0], customer: service.customer });
});

test.each(["nota", "order"])("a printed %s with 20 lines is one page of paper alone", async (paper) => {
  const made = await make({ description: "Bunyi di rem depan", notes: "Tunggu suku cadang" });
  for (let i = 0; i < 20; i++)
    await api("POST", "/lines", {
      service_id: made.service.id,
      type: "part",
      name: `Suku cadang nomor ${i} dengan nama yang agak panjang`,
      quantity: "1.5",
      unit_price: "125000",
    });
  const page = await open({ viewport: phone, colorScheme: "dark" }, `#/jobs/${made.service.id}/${paper}`);
  expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(phone.width);
  const pdf = (await page.pdf({ format: "A4" })).toString("latin1");
  expect(pdf.match(/\/Type\s*\/Page(?!s)/g)).toHaveLength(1);
  await page.emulateMedia({ media: "print" });
  expect(await page.locator("nav:visible, .crumb:visible, .tools:visible, #foot:visible").count()).toBe(0);
  await page.close();
});

test("a search finds a customer by the car's model, by the e-mail address, and with one wrong letter", async () => {
  const { customer, vehicle } = await make();
  const change = (path: string, body: Json) => api("PATCH", path, body, { "If-Match": "*" });
  const mail = `surat${count}${run.toLowerCase()}`;
  await change(`/customers/${customer.id}`, { name: `Wulandarisa Uji ${run}`, email: `${mail}@contoh.id` });
  await change(`/vehicles/${vehicle.id}`, { model: "Zyrexana" });
  const page = await open({}, "#/customers?q=tidak-ada-xyz");
  for (const text of ["zyrexana", mail, "wulandarsia"]) {
    await page.fill("#find", text);
    await page.locator("#found a", { hasText: `Wulandarisa Uji ${run}` }).waitFor();
    await page.fill("#find", "tidak-ada-xyz");
    await page.locator("#found:empty").waitFor({ state: "attached" });
  }
  await page.close();
});

test("with a login the pages name the person, and who did what to a record", async () => {
  const { service } = await make();
  const at = "2031-02-03T04:05:00.000Z";
  const changes = [
    { id: 2, at, person: "budi", action: "changed", fields: { status: "done", price: "150000.00", notes: true } },
    { id: 1, at, person: "ayu", action: "created", fields: {} },
  ];
  const page = await browser.newPage({ viewport: desktop, timezoneId: "Asia/Makassar" });
  await measure(page);
  await page.route("**/changes?*", (route) =>
    route.fulfill({ headers: { "X-Person": "ayu" }, json: { items: changes, next: null } }),
  );
  await page.goto(`${home}#/jobs/${service.id}`);
  await idle(page);
  expect(await page.textContent("#person")).toBe("Masuk sebagai ayu");
  const texts = await page.locator(".changes li").allTextContents();
  expect(texts).toHaveLength(2);
  for (const text of ["budi", "Selesai", "Rp\u00a0150.000"]) expect(texts[0]).toContain(text);
  expect(texts[1]).toMatch(/^ayu.*mencatat$/);
  expect(await moved(page)).toEqual([]);
  expect(await axeFindings(page)).toEqual([]);
  await page.close();
});

test("a week has its jobs by day, its revenue, and the customers to remind", async () => {
  const page = await open({ viewport: desktop }, "#/week");
  const sums = async () =>
    (await page.locator(".sums dd").allTextContents()).map((sum) => Number(sum.replace(/,\d\d$|\D/g, "")));
  const before = await sums();
  const paid = await make({ status: "done", price: "123456", paid_at: new Date().toISOString() });
  const old = await make({ status: "done", scheduled_at: "2031-01-06T03:00:00Z", remind_at: "2031-01-08T03:00:00Z" });
  await page.reload();
  await idle(page);
  expect(await page.locator(".week .now .slot", { hasText: paid.vehicle.plate }).count()).toBe(1);
  // Of today, of the week, of the month; and not paid.
  const more = [123_456, 123_456, 123_456, 150_000];
  expect(await sums()).toEqual(more.map((each, i) => each + (before[i] ?? Number.NaN)));

  await page.goto(`${home}#/week/2031-01-08`);
  const reminder = page.locator(".reminder", { hasText: old.vehicle.plate });
  await reminder.waitFor();
  expect(await page.locator(".week .slot", { hasText: old.vehicle.plate }).count()).toBe(1);
  await tabTo(page, `remind-${old.service.id}`);
  await page.keyboard.press("Enter");
  await expect.poll(() => reminder.count()).toBe(0);
  expect(await focusedKey(page), "the element before it that is still on the page").toBe(`job-${old.service.id}-page`);
  await page.keyboard.press("u");
  await reminder.waitFor();
  await page.locator(`[data-key="remind-${old.service.id}"]`).press("Enter");
  await page.locator(".notice .round").press("Enter");
  expect([await page.locator(".notice").count(), await focusedKey(page)]).toEqual([0, "H1"]);
  await page.keyboard.press("ArrowRight");
  await expect.poll(() => page.evaluate("location.hash")).toBe("#/week/2031-01-13");
  await page.close();
});

test("a week that is left open becomes the next one with the first change in it", async () => {
  const remind_at = "2031-01-08T03:00:00.000Z";
  const { service } = await make({ status: "done", scheduled_at: "2031-01-06T03:00:00Z", remind_at });
  const page = await open({}, "#/customers");
  await page.clock.setFixedTime("2031-01-12T12:00:00+08:00");
  await page.goto(`${home}#/week`);
  const slot = page.locator(`[data-key="job-${service.id}-page"]`);
  await slot.waitFor();
  await page.clock.setFixedTime("2031-01-13T08:00:00+08:00");
  await page.locator(`[data-key="remind-${service.id}"]`).click();
  await slot.waitFor({ state: "detached" });
  await idle(page);
  expect(await page.locator(".week .now").count()).toBe(1);
  await page.close();
});

test("a reminder that is done is saved, and can be undone, also after the person has left the week", async () => {
  const remind_at = "2031-01-08T03:00:00.000Z";
  const { service } = await make({ status: "done", scheduled_at: "2031-01-06T03:00:00Z", remind_at });
  const path = `/services/${service.id}`;
  const page = await open({}, "#/week/2031-01-08");
  const held = Promise.withResolvers<void>();
  await page.route(`**/api${path}`, (route) => held.promise.then(() => route.continue()));
  await page.locator(`[data-key="remind-${service.id}"]`).click();
  await page.goto(`${home}#/customers`);
  await idle(page);
  held.resolve();
  await page.locator(".notice", { hasText: "sudah diingatkan" }).waitFor();
  expect(await api("GET", path)).toMatchObject({ remind_at: null });
  await page.locator("h1").focus();
  await page.keyboard.press("u");
  await expect.poll(() => api("GET", path)).toMatchObject({ remind_at });
  await page.close();
});

test("a week with more jobs and reminders than it reads says so", async () => {
  const page = await open({}, "#/today");
  await page.route("**/api/services?*", (route) => route.fulfill({ json: { items: [], next: "more" } }));
  await page.goto(`${home}#/week`);
  await idle(page);
  expect(await page.getByText("Hanya 0 yang pertama ditampilkan.").count()).toBe(2);
  await page.close();
});

test("the words of the menu fit into its column in each language", async () => {
  const page = await open({});
  for (const language of ["id", "en"]) {
    await page.click(`[data-language="${language}"]`);
    const beyond = await page.$eval("nav", (nav) => {
      const edge = nav.getBoundingClientRect().right - Number.parseFloat(getComputedStyle(nav).paddingRight);
      return [...nav.children].filter((each) => each.getBoundingClientRect().right > edge + 0.5).length;
    });
    expect([language, beyond]).toEqual([language, 0]);
  }
  await page.close();
});

test("a phone's board shows the first column with a job", async () => {
  const day = "2031-05-06";
  const made = await make({ status: "done", scheduled_at: `${day}T03:00:00Z` });
  const page = await open({ viewport: phone }, `#/day/${day}`);
  await card(page, made.vehicle.plate).waitFor();
  expect(await page.getAttribute('[data-key="tab-done"]', "aria-pressed")).toBe("true");
  await page.close();
});

test("a lost network is reported at once, above the page's heading", async () => {
  const page = await open({ viewport: phone }, "#/today");
  await page.context().setOffline(true);
  await page.locator(".banner", { hasText: "Tidak tersambung" }).waitFor({ timeout: 3000 });
  const [banner, heading] = await Promise.all([
    page.locator(".banner").boundingBox(),
    page.locator("h1").boundingBox(),
  ]);
  expect((banner?.y ?? 0) + (banner?.height ?? 0)).toBeLessThanOrEqual(heading?.y ?? 0);
  await page.context().setOffline(false);
  await page.locator(".notice", { hasText: "Tersambung kembali" }).waitFor();
  await page.close();
});

test("a printed board has its jobs and no buttons", async () => {
  const made = [await make(), await make({ status: "done" })];
  const page = await open({ viewport: phone, colorScheme: "dark" }, "#/today");
  await page.emulateMedia({ media: "print" });
  for (const { vehicle } of made) await card(page, vehicle.plate).waitFor();
  expect(await page.locator("nav:visible, .tabs:visible, .tools:visible, .moves:visible, #foot:visible").count()).toBe(
    0,
  );
  expect(await page.evaluate("getComputedStyle(document.querySelector('h1')).color")).toBe("rgb(27, 28, 32)");
  await page.close();
});

test("a plate that is taken is offered with its owner, and an owner is found while the name is typed", async () => {
  const made = await make();
  const page = await open({}, "#/new");
  await fill(page, {
    "customer-name": "Orang Baru",
    "customer-phone": "0812-9",
    "vehicle-year": "2020",
    "vehicle-make": "Toyota",
    "vehicle-model": "Avanza",
    "service-kind": "Rem",
    "service-price": "90000",
  });
  await page.fill('[name="customer-phone"]', "0812-99999");
  const offer = page.getByRole("button", { name: `Pakai ${made.vehicle.plate}` });
  const submit = async () => {
    await page.fill('[name="vehicle-plate"]', made.vehicle.plate.replaceAll(" ", "-"));
    await page.keyboard.press("Escape");
    await page.keyboard.press("Control+Enter");
    await offer.waitFor();
  };
  await submit();
  await page.fill('[name="vehicle-plate"]', "B 1 LAIN");
  expect(await offer.count()).toBe(0);
  await submit();
  await offer.click();
  await page.locator(".picked", { hasText: run }).waitFor();
  expect(await page.inputValue('[name="service-kind"]')).toBe("Rem");

  await page.getByRole("button", { name: "Ganti", exact: true }).click();
  await page.fill('[name="customer-name"]', "");
  await page.keyboard.type(`uji ${count} ${run}`.toLowerCase());
  await page.locator('[role="option"]').first().waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.locator(".picked", { hasText: run }).waitFor();
  await page.close();
});

test("a draft gives way to the present request, and outlives the customer that it was for", async () => {
  const { customer } = await make();
  const page = await open({}, `#/new?customer=${customer.id}`);
  const picked = page.locator(".picked:visible", { hasText: run });
  await picked.waitFor();
  await page.fill('[name="service-kind"]', "Rem");

  await page.goto(`${home}#/new?date=2031-02-03`);
  await expect.poll(() => page.inputValue('[name="service-scheduled_at"]')).toBe("2031-02-03T09:00");
  await picked.waitFor();
  await page.reload();
  await picked.waitFor();
  expect(await page.inputValue('[name="service-scheduled_at"]')).toBe("2031-02-03T09:00");

  for (const [field, text] of Object.entries({ name: "Budi Baru", phone: "0812-555", plate: "B 12" })) {
    const input = page.locator(`[name$="-${field}"]:visible`);
    await page.goto(`${home}#/new?${field}=${encodeURIComponent(text)}`);
    await expect.poll(async () => (await input.count()) && input.inputValue()).toBe(text);
    expect(await picked.count()).toBe(field === "plate" ? 1 : 0);
    expect(await page.inputValue('[name="service-kind"]')).toBe("Rem");
  }

  // Now the draft has the customer again, and no vehicle.
  await takeAway();
  await page.reload();
  await page.locator(".notice", { hasText: "sudah dihapus" }).waitFor();
  expect(await focusedKey(page)).toBe("customer-name");
  expect(await page.inputValue('[name="service-kind"]')).toBe("Rem");
  await page.close();
});

test("a customer who comes late does not come back after somebody said another one", async () => {
  const { customer } = await make();
  const page = await open({}, "#/customers");
  const vehicles = Promise.withResolvers<void>();
  await page.route("**/vehicles?limit=100", (route) => vehicles.promise.then(() => route.continue()));
  await page.goto(`${home}#/new?customer=${customer.id}`);
  await page.getByRole("button", { name: "Ganti", exact: true }).click();
  vehicles.resolve();
  await idle(page);
  expect(await page.locator(".which:visible").count()).toBe(0);
  expect(await focusedKey(page)).toBe("customer-name");
  await page.close();
});

atNight("Back leads to the row that was opened, also on a later page of the list", async () => {
  for (let i = 0; i < 27; i++) await make();
  const page = await open({}, `#/customers?q=${run.toLowerCase()}`);
  const links = page.locator("#found a");
  await page.locator(".after button").click();
  await expect.poll(() => links.count()).toBeGreaterThan(25);
  const rows = await links.count();
  const key = `${await links.last().getAttribute("data-key")}`;
  await links.last().click();
  await page.locator(".cars").waitFor();
  await page.goBack();
  await expect.poll(() => focusedKey(page)).toBe(key);
  expect(await links.count()).toBe(rows);
  await page.close();
});

test("Enter opens the match of the present text, not of the one before it", async () => {
  const [before, wanted] = [await make(), await make()];
  const page = await open({}, `#/customers?q=${encodeURIComponent(before.vehicle.plate)}`);
  await page.locator("#found a").waitFor();
  const answers = Promise.withResolvers<void>();
  await page.route("**/api/*?limit=*", (route) => answers.promise.then(() => route.continue()));
  await page.fill("#find", `uji ${count} ${run}`);
  await page.keyboard.press("Enter");
  expect(await page.evaluate("location.hash")).not.toBe(`#/customers/${before.customer.id}`);
  answers.resolve();
  await expect.poll(() => page.evaluate("location.hash")).toBe(`#/customers/${wanted.customer.id}`);
  await page.close();
});

test.each(["mine", "theirs"])(
  "somebody else changed the job meanwhile: both values are shown, and %s is kept",
  async (whose) => {
    const made = await make();
    const page = await open({ reducedMotion: "reduce" }, "#/today");
    await page.locator(`[data-key="job-${made.service.id}-edit"]`).click();
    await page.locator('[name="service-price"]').waitFor();
    await api(
      "PATCH",
      `/services/${made.service.id}`,
      { price: "99000", notes: "dari meja lain" },
      { "If-Match": "*" },
    );
    await page.fill('[name="service-price"]', "123000");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Orang lain sudah mengubahnya" }).waitFor();
    const shown = await page.locator(".versus", { hasText: "Harga" }).textContent();
    expect(shown).toContain("Rp\u00a0123.000");
    expect(shown).toContain("Rp\u00a099.000");
    await page.screenshot({ path: `${screenshots}/workshop-conflict.png` });
    expect(await axeFindings(page)).toEqual([]);
    await page.getByRole("button", { name: whose === "mine" ? "Simpan pilihan ini" : "Pakai punya mereka" }).click();
    await expect.poll(() => page.locator("dialog").count()).toBe(0);
    const now = await api<Job>("GET", `/services/${made.service.id}`);
    expect(now).toMatchObject({ price: whose === "mine" ? "123000.00" : "99000.00", notes: "dari meja lain" });
    await page.close();
  },
);

test("a move meets another one: the job goes where the person decides", async () => {
  const made = await make();
  const page = await open({}, "#/today");
  await page.locator(".column.is-scheduled .card", { hasText: made.vehicle.plate }).waitFor();
  await page.route("**/api/services?**", () => {}); // it must not learn of it by asking again
  await api("PATCH", `/services/${made.service.id}`, { status: "cancelled" }, { "If-Match": "*" });
  await page.locator(`[data-key="job-${made.service.id}-move0"]`).click();
  await page.locator(".versus", { hasText: "Dibatalkan" }).waitFor();
  await page.getByRole("button", { name: "Simpan pilihan ini" }).click();
  await page.locator(".column.is-in_progress .card", { hasText: made.vehicle.plate }).waitFor();
  // The card appears before the API has it.
  await expect.poll(async () => (await api<Job>("GET", `/services/${made.service.id}`)).status).toBe("in_progress");
  await page.close();
});

test("a done job that is opened again by mistake keeps the time it was done at; a refused move says why", async () => {
  const made = await make({ status: "done", scheduled_at: new Date(Date.now() - 20 * 86_400_000).toISOString() });
  const path = `/services/${made.service.id}`;
  const { completed_at } = await api<Job>("GET", path);
  const page = await open({}, "#/customers");
  // It was planned weeks ago, and is on the second page of the jobs that were done today.
  await page.route("**/api/services?completed_from=*", (route) =>
    route.request().url().includes("after=")
      ? route.continue({ url: route.request().url().replace("&after=second", "") })
      : route.fulfill({ json: { items: [], next: "second" } }),
  );
  await page.goto(`${home}#/today`);
  const reopen = page.locator(`.is-done [data-key="job-${made.service.id}-move0"]`);
  await page.route(`**/api${path}`, (route) =>
    route.request().method() === "PATCH"
      ? route.fulfill({ status: 422, json: { detail: "Tidak boleh." } })
      : route.continue(),
  );
  await reopen.click();
  await page.locator(".notice", { hasText: "Tidak boleh." }).waitFor();
  await reopen.waitFor();
  expect(await page.textContent(".notice")).toContain("Tidak boleh.");
  await page.unroute(`**/api${path}`);

  // By the keyboard: a second click at once would be a double click.
  await reopen.press("Enter");
  await page.locator(".notice", { hasText: "dikerjakan" }).waitFor();
  await api("PATCH", path, { status: "cancelled" }, { "If-Match": "*" });
  await page.keyboard.press("u");
  await page.locator(".versus", { hasText: "Dibatalkan" }).waitFor();
  await page.getByRole("button", { name: "Simpan pilihan ini" }).click();
  await expect.poll(() => api<Job>("GET", path)).toMatchObject({ status: "done", completed_at });
  await page.close();
});

test("an answer that is lost, a 503 and a 429 are waited out, and the retried job is made once", async () => {
  const page = await open({}, "#/new");
  const plate = `R ${++count} ${run}`;
  const hindered: string[] = [];
  await page.route("**/api/intake", async (route) => {
    hindered.push(route.request().headers()["idempotency-key"] ?? "none");
    if (hindered.length === 1) {
      // It arrives and is done; only its answer is lost.
      await api("POST", "/intake", route.request().postDataJSON(), { "Idempotency-Key": hindered[0] ?? "" });
      return route.abort("connectionreset");
    }
    if (hindered.length > 3) return route.continue();
    const status = hindered.length === 2 ? 503 : 429;
    await route.fulfill({
      status,
      headers: { "Retry-After": "1" },
      contentType: "application/problem+json",
      body: "{}",
    });
  });
  await page.fill('[name="customer-name"]', `Ulang ${run}`);
  for (const [name, text] of Object.entries({
    "customer-phone": "0812-77777",
    "vehicle-plate": plate,
    "vehicle-year": "2019",
    "vehicle-make": "Suzuki",
    "vehicle-model": "Ertiga",
    "service-kind": "Rem",
    "service-price": "1",
  }))
    await page.fill(`[name="${name}"]`, text);
  await page.evaluate(() => {
    const counted = Object.assign(window, { banners: 0 });
    new MutationObserver((changes) => {
      for (const node of changes.flatMap(({ addedNodes }) => [...addedNodes]))
        if (node instanceof Element && node.className === "banner") counted.banners++;
    }).observe(document.body, { childList: true });
  });
  await page.keyboard.press("Control+Enter");
  for (const words of ["Tidak tersambung", "Server sedang tidak bisa menjawab", "Terlalu banyak permintaan"]) {
    await page.locator(".banner", { hasText: words }).waitFor();
    expect(await page.inputValue('[name="vehicle-plate"]')).toBe(plate);
  }
  await card(page, plate).waitFor();
  expect(new Set(hindered).size).toBe(1);
  expect(await page.evaluate("banners"), "one banner, that stays from the first failure to the answer").toBe(1);
  const { items } = await api<{ items: Made["vehicle"][] }>("GET", `/vehicles?q=${encodeURIComponent(plate)}`);
  expect(items).toHaveLength(1);
  const found = await api<{ items: (Job & { customer: { id: number } })[] }>(
    "GET",
    `/vehicles/${items[0]?.id}/services`,
  );
  expect(found.items).toHaveLength(1);
  const [service] = found.items;
  if (service && items[0]) left.push({ service, vehicle: items[0], customer: service.customer });
  await page.close();
});

test("a record that is gone, or a request that fails for good, is reported with a way on", async () => {
  const page = await open({}, "#/customers/999999999");
  expect(await page.textContent("main")).toBe("Data ini tidak ada, atau sudah dihapus.Coba lagiKe hari ini");
  await page.route("**/api/services?*", (route) => route.fulfill({ status: 500, body: "oops" }));
  await page.getByRole("link", { name: "Ke hari ini" }).click();
  await page.getByRole("heading", { name: "Ini tidak berhasil dimuat." }).waitFor();
  await page.unroute("**/api/services?*");
  await page.keyboard.press("Enter");
  await page.locator(".board").waitFor();
  await idle(page);
  expect(await page.textContent("h1")).toBe("Hari ini");
  await page.close();
});

atNight("another desk's records appear by themselves, marked when it is late, under nobody's hands", async () => {
  const own = await make();
  const page = await open({}, "#/today");
  const key = `job-${own.service.id}-move0`;
  await tabTo(page, key);
  const late = await make({ scheduled_at: new Date(Date.now() - 7_260_000).toISOString() });
  await card(page, late.vehicle.plate).waitFor({ timeout: 40_000 });
  expect(await card(page, late.vehicle.plate).textContent()).toContain("Terlambat 2 jam");
  expect(await focusedKey(page)).toBe(key);
  await page.close();
});

const views = [
  ["phone", phone, "light"],
  ["desktop", desktop, "light"],
  ["large phone", largePhone, "light"],
  ["phone", phone, "dark"],
  ["large phone", largePhone, "dark"],
  ["desktop", desktop, "dark"],
] as const;
test.each(someByDay(views, 1))(
  "%s, %o, %s: each view fits, stays still, is accessible, and asks nobody else",
  async (device, viewport, colorScheme) => {
    const made = [
      await make(),
      await make({ scheduled_at: new Date(Date.now() - 7_200_000).toISOString() }),
      await make({ status: "in_progress" }),
      await make({ status: "done" }),
    ];
    const views = {
      today: "#/today",
      found: `#/customers?q=${run.toLowerCase()}`,
      nobody: "#/customers?q=tidak-ada-xyz",
      customer: `#/customers/${made[0]?.customer.id}`,
      job: `#/jobs/${made[3]?.service.id}`,
      nota: `#/jobs/${made[3]?.service.id}/nota`,
      order: `#/jobs/${made[3]?.service.id}/order`,
      week: "#/week",
      new: "#/new",
    };
    for (const [name, hash] of Object.entries(views)) {
      const page = await browser.newPage({ viewport, colorScheme });
      const asked = new Set<string>();
      const wrong: string[] = [];
      page.on("request", (each) => asked.add(new URL(each.url()).hostname));
      page.on("console", (message) => ["error", "warning"].includes(message.type()) && wrong.push(message.text()));
      page.on("pageerror", (error) => wrong.push(error.message));
      const bytes = await transferred(page);
      await measure(page);
      await page.goto(home + hash);
      await idle(page);
      await page.waitForLoadState("networkidle");
      await page.screenshot({ path: `${screenshots}/workshop-${name}-${device}-${colorScheme}.png` });
      expect(await page.evaluate("document.documentElement.scrollWidth"), name).toBeLessThanOrEqual(viewport.width);
      expect(await moved(page), `${name}: layout shift`).toEqual([]);
      expect(bytes(), `${name}: bytes`).toBeLessThan(100 * 1024);
      expect(bytes()).toBeGreaterThan(5000);
      expect([...asked]).toEqual([site]);
      expect(wrong).toEqual([]);
      // A form that is opened asks the API nothing yet.
      if (name !== "new") expect(backends).toContain((await page.textContent("#served"))?.split(" ").at(-1));
      const lost = await page.$$eval("use", (all) =>
        all.map((each) => each.getAttribute("href") ?? "").filter((symbol) => !document.querySelector(symbol)),
      );
      expect(lost, `${name}: icons without a picture`).toEqual([]);
      expect(await axeFindings(page), name).toEqual([]);
      await page.close();
    }
  },
);

test.each(someByDay(views.toReversed(), 1))(
  "%s, %o, %s: each dialog fits and is accessible",
  async (device, viewport, colorScheme) => {
    const { customer, vehicle, service } = await make();
    const job = `#/jobs/${service.id}`;
    const owner = `#/customers/${customer.id}`;
    const dialogs: [name: string, hash: string, ...keys: string[]][] = [
      ["job", job, "edit-job"],
      ["line", job, "add-line"],
      ["customer", owner, "edit-customer"],
      ["vehicle", owner, `vehicle-${vehicle.id}`],
      ["new-vehicle", owner, "add-vehicle"],
      ["deletion", owner, "edit-customer", "delete"],
      ["keys", job],
    ];
    for (const [name, hash, ...keys] of dialogs) {
      const page = await open({ viewport, colorScheme, reducedMotion: "reduce" }, hash);
      for (const key of keys) await page.locator(`[data-key="${key}"]`).click();
      if (keys.length === 0) await page.keyboard.press("?");
      await expect.poll(() => page.locator("dialog[open]").count()).toBe(Math.max(1, keys.length));
      await page.screenshot({ path: `${screenshots}/workshop-dialog-${name}-${device}-${colorScheme}.png` });
      const wide = await page.$$eval(
        "dialog",
        (all) => all.filter((each) => each.scrollWidth > each.clientWidth).length,
      );
      expect(wide, `${name}: dialogs that are wider than their window`).toBe(0);
      expect(await page.evaluate("document.documentElement.scrollWidth"), name).toBeLessThanOrEqual(viewport.width);
      expect(await axeFindings(page), name).toEqual([]);
      await page.close();
    }
  },
);

test("on a slow phone each view is painted in time and stays still", async () => {
  const { customer, service } = await make({ status: "done" });
  const hashes = {
    today: "#/today",
    job: `#/jobs/${service.id}`,
    customers: "#/customers",
    customer: `#/customers/${customer.id}`,
    nota: `#/jobs/${service.id}/nota`,
    week: "#/week",
    new: "#/new",
  };
  const seen: unknown[] = [];
  for (const [name, hash] of someByDay(Object.entries(hashes), 2)) {
    const { paint, shifts } = await onSlowPhone(browser, `the workshop's ${name}`, home + hash, idle);
    if (shifts.length > 0 || paint >= PAINT_LIMIT) seen.push([name, paint, shifts]);
  }
  expect(seen).toEqual([]);
});
