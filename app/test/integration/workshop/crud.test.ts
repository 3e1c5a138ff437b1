import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { PostgresServer } from "../../../../ops/loopback/postgres.ts";
import { RedisServer } from "../../../../ops/loopback/redis.ts";
import { createPostgres } from "../support/postgres.ts";
import { Service } from "../support/service.ts";

let redis: RedisServer;
let postgres: PostgresServer;
let service: Service;

beforeAll(async () => {
  [redis, postgres] = await Promise.all([RedisServer.prepare(), createPostgres()]);
  await redis.start();
  service = await Service.startConnected(redis, postgres.env);
});

afterAll(async () => {
  await service?.kill();
  await Promise.all([redis?.destroy(), postgres?.destroy()]);
});

beforeEach(() => postgres.empty());

type Headers = Record<string, string>;
// biome-ignore lint/suspicious/noExplicitAny: the tests read responses of any shape
type Answer = { status: number; body: any; headers: Headers };

/** One request; a body is sent as JSON unless it is text already. */
async function ask(method: string, path: string, body?: unknown, headers: Headers = {}): Promise<Answer> {
  const content: Headers = body === undefined ? {} : { "content-type": "application/json" };
  const response = await service.get(`/api${path}`, {
    method,
    headers: { ...content, ...headers },
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text && JSON.parse(text), headers: Object.fromEntries(response.headers) };
}

const BUDI = { name: "Budi Santoso", phone: "+62 812-3456-7890" };
const made = async (path: string, body: unknown) => {
  const answer = await ask("POST", path, body);
  expect([answer.status, answer.body]).toEqual([201, expect.anything()]);
  return answer.body;
};
const customer = (more: object = {}) => made("/customers", { ...BUDI, ...more });
const vehicle = (customer_id: number, plate = "B 1234 XY", more: object = {}) =>
  made("/vehicles", { customer_id, plate, make: "Toyota", model: "Avanza", year: 2020, ...more });
const job = (vehicle_id: number, more: object = {}) =>
  made("/services", {
    vehicle_id,
    kind: "Ganti oli",
    price: "150000",
    scheduled_at: "2026-11-21T10:00:00+07:00",
    ...more,
  });
const names = (answer: Pick<Answer, "body">, field = "name") => answer.body.items.map((item: Headers) => item[field]);

describe("a customer", () => {
  it("can be created, read, replaced, changed and deleted", async () => {
    const created = await ask("POST", "/customers", { ...BUDI, name: "  Budi Santoso " });
    expect(created).toMatchObject({
      status: 201,
      headers: {
        location: "/api/customers/1",
        etag: '"1"',
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "x-served-by": "web1",
        "x-release": "dev",
        "x-request-id": expect.stringMatching(/^[0-9a-f]{32}$/),
      },
    });
    const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(created.body).toEqual({
      id: 1,
      version: 1,
      ...BUDI,
      email: null,
      address: null,
      created_at: instant,
      updated_at: instant,
    });
    const read = await ask("GET", "/customers/1");
    expect([read.status, read.body, read.headers.etag]).toEqual([200, created.body, '"1"']);

    const put = { name: "Ayu", phone: "08123", email: "ayu@example.com", address: "Jl. Melati 1\nBandung" };
    const replaced = await ask("PUT", "/customers/1", put, { "if-match": '"1"' });
    expect(replaced).toMatchObject({ status: 200, body: { version: 2, ...put }, headers: { etag: '"2"' } });
    const patched = await ask("PATCH", "/customers/1", { email: null }, { "if-match": '"2"' });
    expect(patched.body).toEqual({ ...replaced.body, version: 3, email: null, updated_at: instant });
    const gone = await ask("DELETE", "/customers/1", undefined, { "if-match": '"3"' });
    expect([gone.status, gone.body]).toEqual([204, ""]);
    expect((await ask("GET", "/customers/1")).status).toBe(404);
  });

  it("answers HEAD as GET, without the body", async () => {
    await customer();
    for (const path of ["/customers", "/customers/1"]) {
      const [get, head] = [await ask("GET", path), await ask("HEAD", path)];
      expect([head.status, head.body]).toEqual([200, ""]);
      expect(head.headers["content-length"]).toBe(get.headers["content-length"]);
    }
  });
});

describe("vehicles and services", () => {
  it("show their owners, and store plates, numbers and times in one format", async () => {
    await customer();
    const car = await vehicle(1, " b  1234 xy", { vin: "mhka1bb2c3d456789" });
    expect(car).toMatchObject({ plate: "B 1234 XY", vin: "MHKA1BB2C3D456789", customer: { id: 1, ...BUDI } });
    expect(await job(1, { price: "150000.5" })).toMatchObject({
      status: "scheduled",
      price: "150000.50",
      scheduled_at: "2026-11-21T03:00:00.000Z",
      completed_at: null,
      vehicle: { id: 1, plate: "B 1234 XY", make: "Toyota", model: "Avanza" },
      customer: { id: 1, ...BUDI },
    });
  });

  it("a job that a client of the first contract replaces keeps the fields that this client does not know", async () => {
    await customer();
    await vehicle(1);
    const at = "2026-11-21T03:00:00.000Z";
    const newer = { paid_at: at, mechanic: "Wayan", odometer: 45_000, remind_at: at };
    await job(1, { ...newer, notes: "x" });
    const first = { vehicle_id: 1, kind: "Rem", price: "150000", scheduled_at: at };
    const replace = async (body: object) => (await ask("PUT", "/services/1", body, { "if-match": "*" })).body;
    expect(await replace(first)).toMatchObject({ ...newer, kind: "Rem", notes: null });
    expect(await replace({ ...first, mechanic: null })).toMatchObject({ ...newer, mechanic: null });
  });

  it("a job is completed when it is done, and not completed otherwise", async () => {
    await customer();
    await vehicle(1);
    const at = "2026-11-20T08:00:00.000Z";
    expect(await job(1, { completed_at: at })).toMatchObject({ completed_at: null });
    const change = async (body: object) => (await ask("PATCH", "/services/1", body, { "if-match": "*" })).body;
    const done = await change({ status: "done" });
    expect(Date.now() - Date.parse(done.completed_at)).toBeLessThan(60_000);
    expect(await change({ notes: "x" })).toMatchObject({ completed_at: done.completed_at });
    expect(await change({ completed_at: at })).toMatchObject({ status: "done", completed_at: at });
    expect(await change({ status: "in_progress" })).toMatchObject({ completed_at: null });
    expect(await job(1, { status: "done", completed_at: at })).toMatchObject({ status: "done", completed_at: at });
  });

  it("an intake creates customer, vehicle and job, or none of them", async () => {
    const car = { plate: "D 1 A", make: "Honda", model: "Brio", year: 2020 };
    const work = { kind: "Servis", price: "1", scheduled_at: "2026-11-21T03:00:00Z" };
    const first = await ask("POST", "/intake", { customer: BUDI, vehicle: car, service: work });
    expect(first).toMatchObject({
      status: 201,
      headers: { location: "/api/services/1" },
      body: { customer: { id: 1 }, vehicle: { customer_id: 1 }, service: { vehicle_id: 1, customer: { id: 1 } } },
    });
    const again = await ask("POST", "/intake", { customer: BUDI, vehicle: { ...car, plate: "d1a" }, service: work });
    expect(again).toMatchObject({ status: 409, body: { errors: [{ pointer: "/vehicle/plate", code: "taken" }] } });
    expect((await ask("GET", "/customers")).body.items).toHaveLength(1);
    expect((await ask("POST", "/intake", { customer: { id: 1 }, vehicle: { id: 1 }, service: work })).status).toBe(201);

    await customer({ name: "Ayu" });
    const wrong = async (body: object) => (await ask("POST", "/intake", body)).body.errors;
    const missing = [expect.objectContaining({ pointer: "/vehicle/id", code: "not_found" })];
    const second = (await ask("GET", "/customers?q=ayu")).body.items[0].id;
    expect(await wrong({ customer: { id: second }, vehicle: { id: 1 }, service: work })).toEqual(missing);
    expect(await wrong({ customer: { id: 9 }, vehicle: car, service: work })).toMatchObject([
      { pointer: "/customer/id", code: "not_found" },
    ]);
    expect(
      await wrong({ customer: {}, vehicle: { id: "1" }, service: { ...work, vehicle_id: 1 }, x: 1 }),
    ).toMatchObject([
      { pointer: "/x", code: "unknown_field" },
      { pointer: "/customer/name", code: "required" },
      { pointer: "/customer/phone", code: "required" },
      { pointer: "/vehicle/id", code: "type" },
      { pointer: "/service/vehicle_id", code: "unknown_field" },
    ]);
    expect(await wrong({})).toMatchObject(["customer", "vehicle", "service"].map((p) => ({ pointer: `/${p}` })));
  });
});

describe("lists", () => {
  it("page through all rows, by any field, in both directions", async () => {
    for (const name of ["dewi", "Budi", "ayu", "Citra", "Budi"]) await customer({ name });
    const walk = async (sort: string) => {
      const seen: number[] = [];
      let path: string | undefined = `/customers?limit=2&sort=${sort}`;
      while (path) {
        const { body, headers }: Answer = await ask("GET", path);
        expect(body.items.length).toBeLessThanOrEqual(2);
        seen.push(...body.items.map(({ id }: { id: number }) => id));
        path = headers.link?.match(/<\/api([^>]+)>; rel="next"/)?.[1];
        expect(path !== undefined).toBe(body.next !== null);
        expect(headers.link).toContain(`</api/customers?limit=2&sort=${sort}>; rel="first"`);
      }
      return seen;
    };
    expect(await walk("name")).toEqual([3, 2, 5, 4, 1]);
    expect(await walk("-name")).toEqual([1, 4, 5, 2, 3]);
    for (const sort of ["id", "created_at"]) expect(await walk(sort)).toEqual([1, 2, 3, 4, 5]);
    for (const sort of ["-id", "-created_at"]) expect(await walk(sort)).toEqual([5, 4, 3, 2, 1]);
  });

  it("continue after any name", async () => {
    // Composed, the second would stand behind the third.
    const all = ["b".repeat(150), "T\u0308o  no", "ua"];
    for (const name of all) await customer({ name });
    const seen: string[] = [];
    for (let after = ""; ; ) {
      const answer = await ask("GET", `/customers?limit=1${after}`);
      expect(answer.status).toBe(200);
      seen.push(...names(answer));
      if (answer.body.next === null) break;
      after = `&after=${answer.body.next}`;
    }
    expect(seen).toEqual(all);
  });

  const found = async (q: string) => (await ask("GET", `/customers?q=${encodeURIComponent(q)}`)).body;

  it("find customers by words in any order: part of the name, of the phone number, of a plate, of a car or of the e-mail address", async () => {
    await customer({ email: "budsan99@contoh.id" });
    await customer({ name: "Ayu 100%_\\ Lestari", phone: "(021) 555-0101", email: "lestariayu@contoh.id" });
    await vehicle(1, "B 1162 XYZ");
    await vehicle(2, "DK 77 ZZ", { make: "Mazda", model: "CX-5" });
    const [budi, ayu] = ["Budi Santoso", "Ayu 100%_\\ Lestari"];
    for (const [name, texts] of [
      [budi, ["santo", "BUDI", "bu", "s", "812-34", "0812 3456", "62812", "7890", "Santoso Budi", "san bu"]],
      [
        budi,
        ["1162", "b1162", "B 1162", "162 XY", "62X", "xyz", "avanza", "toyota 1162", "budi avanza", "0812-3456 budi"],
      ],
      [budi, ["budsan99@contoh.id", "budsan99", "BUDSAN", "@contoh.id avanza"]],
      [
        ayu,
        [
          "LESTARI",
          "100%",
          "100%_\\",
          "555",
          "021-555",
          "+62 21 555",
          "dk77",
          "DK 7",
          "d",
          "77 ZZ",
          "77zz",
          "K 77",
          "cx-5",
          "mazda lestari",
        ],
      ],
      [ayu, ["lestariayu@contoh.id", "lestariayu"]],
      [budi, ["budi b 1162 xyz", "b-1162-xyz", "santoso 1162 xyz", "B 1162 toyota"]],
    ] as const)
      for (const q of texts) expect([q, names({ body: await found(q) })]).toEqual([q, [name]]);
    for (const q of [
      "00%",
      "%%%",
      "___",
      "%",
      "ud",
      "xyzw1",
      "' or 1=1 --",
      "b_di",
      "budi lestari",
      "1163",
      "budi 77zz",
      "0555-0101", // a number with a 0 is searched from its beginning
    ])
      expect([q, await found(q)]).toEqual([q, { items: [], next: null }]);
    // One word of letters is found in e-mail addresses only where nothing else has it.
    expect(await found("lestariayu")).toHaveProperty("similar", true);
    expect(await found("lestariayu@contoh.id")).not.toHaveProperty("similar");
    expect(names({ body: await found("") })).toHaveLength(2);
    expect(names({ body: await found("contoh.id") })).toEqual([ayu, budi]);
  });

  it("find a model that is written as a plate is", async () => {
    const models = ["IS 350", "CB 150 R", "CX 5", "GT 86"];
    for (const [i, model] of models.entries()) {
      const { id } = await customer({ name: `Made ${i}` });
      await vehicle(id, `N ${i} A`, { make: "Lexus", model });
    }
    for (const [i, texts] of [
      ["IS 350", "lexus is 350", "350 is"],
      ["cb 150 r", "CB 150", "lexus cb 150 r"],
      ["cx  5", "made cx 5"],
      ["GT 86", "gt 8"],
    ].entries())
      for (const q of texts) {
        expect([q, names({ body: await found(q) })]).toEqual([q, [`Made ${i}`]]);
        if (!q.includes("made"))
          expect([q, names(await ask("GET", `/vehicles?q=${encodeURIComponent(q)}`), "model")]).toEqual([
            q,
            [models[i]],
          ]);
      }
  });

  it("find similar words if nothing has the typed ones", async () => {
    await customer();
    await customer({ name: "Bido" });
    await vehicle(1);
    for (const q of ["budo santoso", "snatoso", "santosso", "avansa", "toyota avnza", "budi toyoya"])
      expect([q, await found(q)]).toMatchObject([q, { items: [{}], similar: true }]);
    expect(names({ body: await found("bidi") })).toEqual(["Bido", "Budi Santoso"]);
    expect(names({ body: await found("bido") })).toEqual(["Bido"]);
    for (const q of ["sentuso", "avnaaz", "bidi wayan"]) expect(await found(q)).toEqual({ items: [], next: null });
    const page = await ask("GET", "/customers?q=bidi&limit=1");
    expect([names(page), page.body.similar]).toEqual([["Bido"], true]);
    const last = await ask("GET", `/customers?q=bidi&limit=1&after=${page.body.next}`);
    expect([names(last), last.body]).toMatchObject([["Budi Santoso"], { next: null, similar: true }]);
    expect((await ask("GET", "/vehicles?q=avansa")).body).toMatchObject({
      items: [{ plate: "B 1234 XY" }],
      similar: true,
    });
  });

  it("find a customer by the present name and vehicles, also after vehicles were moved and removed at once", async () => {
    await customer();
    await customer({ name: "Ayu" });
    await Promise.all(["B 1111 A", "B 2222 A", "B 3333 A"].map((plate) => vehicle(1, plate)));
    const change = (path: string, body: object) => ask("PATCH", path, body, { "if-match": "*" });
    for (const q of ["1111", "2222", "3333"])
      expect([q, names({ body: await found(q) })]).toEqual([q, ["Budi Santoso"]]);
    const [car] = (await ask("GET", "/vehicles?q=2222")).body.items;
    expect((await change(`/vehicles/${car.id}`, { customer_id: 2 })).status).toBe(200);
    await change("/customers/2", { name: "Citra", phone: "0877-1" });
    for (const q of ["2222", "citra", "0877-1 citra 2222"])
      expect([q, names({ body: await found(q) })]).toEqual([q, ["Citra"]]);
    await ask("DELETE", `/vehicles/${car.id}`, undefined, { "if-match": "*" });
    for (const q of ["2222", "ayu"]) expect([q, await found(q)]).toEqual([q, { items: [], next: null }]);
    expect((await ask("GET", "/customers/1")).headers.etag).toBe('"1"');
  });

  it("find vehicles by words in any order: part of the plate, make or model", async () => {
    await customer();
    await vehicle(1, "B 10 A");
    await vehicle(1, "B 1 AB", { make: "Honda", model: "Brio" });
    const plates = async (q: string) => names(await ask("GET", `/vehicles?q=${encodeURIComponent(q)}`), "plate");
    for (const [q, expected] of [
      ["b", ["B 10 A", "B 1 AB"]],
      ["b10", ["B 10 A"]],
      ["10A", ["B 10 A"]],
      ["1 ab", ["B 1 AB"]],
      ["hond", ["B 1 AB"]],
      ["bri hond", ["B 1 AB"]],
      ["b1 brio", ["B 1 AB"]],
    ] as const)
      expect([q, await plates(q)]).toEqual([q, expected]);
  });

  it("filter jobs by vehicle, customer, states and time, also inside of a customer and a vehicle", async () => {
    await customer();
    await customer({ name: "Ayu" });
    await vehicle(1, "B 1 A");
    await vehicle(2, "B 2 A");
    for (const [i, status] of ["scheduled", "in_progress", "done", "cancelled"].entries())
      await job(1 + (i % 2), { status, scheduled_at: `2026-11-2${i}T00:00:00Z` });
    const ids = async (path: string) => (await ask("GET", path)).body.items.map(({ id }: { id: number }) => id);
    expect(await ids("/services")).toEqual([4, 3, 2, 1]);
    expect(await ids("/services?status=done&status=scheduled&status=done")).toEqual([3, 1]);
    expect(await ids("/services?from=2026-11-21T00:00:00Z&to=2026-11-22T00:00:00Z")).toEqual([2]);
    expect(await ids("/services?customer_id=2&status=cancelled&sort=id")).toEqual([4]);
    for (const path of ["/customers/1/services", "/vehicles/1/services", "/services?vehicle_id=1"])
      expect(await ids(path)).toEqual([3, 1]);
    expect(await ids("/customers/2/vehicles?sort=-id")).toEqual([2]);
    expect((await ask("GET", "/customers/3/vehicles")).status).toBe(404);
    await customer({ name: "Citra" });
    expect(await ids("/customers/3/vehicles")).toEqual([]);
  });

  it("refuse an invalid query", async () => {
    await customer();
    await customer();
    const { body } = await ask("GET", "/customers?limit=1&sort=name");
    const forged = (cursor: unknown) => Buffer.from(JSON.stringify(cursor)).toString("base64url");
    const notOfThisList = "Not a cursor of this list in this order.";
    for (const [query, parameter, detail] of [
      ["limit=0", "limit", "At least 1."],
      ["limit=101", "limit", "At most 100."],
      ["limit=9999999999999999", "limit", "At most 100."],
      ["limit=ten", "limit", "A whole number."],
      ["limit=1&limit=2", "limit", "This parameter can be given only once."],
      ["sort=phone", "sort", "One of id, -id, name, -name, created_at, -created_at."],
      ["page=2", "page", "No such parameter exists here."],
      ["q=%00", "q", "No NUL and no half of a surrogate pair."],
      [`q=${"x".repeat(101)}`, "q", "At most 100 characters."],
      ["after=x", "after", notOfThisList],
      [`sort=-name&after=${body.next}`, "after", notOfThisList],
      [`after=${forged(["name", "a\u0000", 1])}`, "after", notOfThisList],
      [`after=${forged(["name", "a", 1.5])}`, "after", notOfThisList],
      [`after=${forged(["name", 1, 1])}`, "after", notOfThisList],
    ])
      expect([query, await ask("GET", `/customers?${query}`)]).toMatchObject([
        query,
        { status: 400, body: { errors: [{ parameter, detail }] } },
      ]);
    const repeated = (await ask("GET", `/services?${"status=done&".repeat(11)}`)).body;
    expect(repeated.errors).toEqual([{ parameter: "status", code: "range", detail: "At most 10 values." }]);
    for (const query of ["q=x", "status=late", "from=today", "vehicle_id=0", "vehicle_id=1&vehicle_id=2"])
      expect([query, (await ask("GET", `/services?${query}`)).status]).toEqual([query, 400]);
    expect((await ask("GET", "/customers/1/vehicles?customer_id=2")).status).toBe(400);
  });
});
