import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { textOf } from "../../../../ops/lib/script.ts";
import type { PostgresServer } from "../../../../ops/loopback/postgres.ts";
import { createPostgres } from "../support/postgres.ts";
import { Service } from "../support/service.ts";
import { aCustomer, aLine, aService, aVehicle, send, tally } from "../support/workshop.ts";

let postgres: PostgresServer;
let service: Service;

beforeAll(async () => {
  postgres = await createPostgres();
  service = await Service.startWorkshop(postgres);
});
afterAll(async () => {
  await service?.kill();
  await postgres?.destroy();
});
beforeEach(async () => {
  await postgres.empty();
  await ask("POST", "/customers", aCustomer());
  await ask("POST", "/vehicles", aVehicle(1));
  await ask("POST", "/services", aService(1, { price: "75000" }));
});

const ask = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
  send(`${service.url}/api${path}`, method, body, headers);
const change = (path: string, body: unknown) => ask("PATCH", path, body, { "if-match": "*" });
const job = async () => (await ask("GET", "/services/1")).body;

it("the price of a job is the exact total of its lines; without lines it is what was sent", async () => {
  expect(await job()).toMatchObject({ price: "75000.00", line_count: 0, version: 1 });
  const oil = await ask("POST", "/lines", aLine(1, { quantity: "3.5", unit_price: "85000.33" }));
  expect(oil).toMatchObject({
    status: 201,
    headers: { location: "/api/lines/1", etag: '"1"' },
    body: { service_id: 1, type: "part", quantity: "3.500", unit_price: "85000.33", total: "297501.16" },
  });
  const work = { type: "labour", name: "Ganti oli", quantity: "1", unit_price: "50000" };
  expect((await ask("POST", "/lines", { service_id: 1, ...work })).body).toMatchObject({
    ...work,
    quantity: "1.000",
    unit_price: "50000.00",
  });
  expect(await job()).toMatchObject({ price: "347501.16", line_count: 2, version: 3 });

  const { service_id: _, ...more } = aLine(1, { quantity: "4", unit_price: "85000.33" });
  const replaced = await ask("PUT", "/lines/1", more, { "if-match": "*" });
  expect(replaced.body).toMatchObject({ version: 2, total: "340001.32", service_id: 1 });
  expect((await job()).price).toBe("390001.32");
  const { kind, vehicle_id, scheduled_at } = await job();
  const same = { kind, vehicle_id, scheduled_at, price: "390001.32" };
  expect((await ask("PUT", "/services/1", same, { "if-match": "*" })).body.price).toBe("390001.32");
  for (const id of [1, 2]) await ask("DELETE", `/lines/${id}`, undefined, { "if-match": "*" });
  expect(await job()).toMatchObject({ price: "75000.00", line_count: 0 });
  expect((await change("/services/1", { price: "60000" })).body.price).toBe("60000.00");
});

it("a price that is sent for a job with lines is the job's price after the last of them", async () => {
  const { body } = await ask("POST", "/lines", aLine(1, { quantity: "1", unit_price: "90000" }));
  expect((await change("/services/1", { price: "80000", notes: "x" })).body).toMatchObject({
    price: "90000.00",
    notes: "x",
  });
  await ask("DELETE", `/lines/${body.id}`, undefined, { "if-match": "*" });
  expect(await job()).toMatchObject({ price: "80000.00", line_count: 0 });
  await ask("POST", "/lines", aLine(1));
  expect((await job()).price).toBe("340000.00");
});

it("a list has the lines of one job, in the order in which they were written", async () => {
  await ask("POST", "/services", aService(1));
  for (const [i, id] of [1, 2, 1].entries()) await ask("POST", "/lines", aLine(id, { name: `Baris ${i}` }));
  const names = async (path: string) => (await ask("GET", path)).body.items.map(({ name }: { name: string }) => name);
  expect(await names("/services/1/lines")).toEqual(["Baris 0", "Baris 2"]);
  expect(await names("/lines?service_id=2")).toEqual(["Baris 1"]);
  expect(await names("/lines?sort=-id")).toEqual(["Baris 2", "Baris 1", "Baris 0"]);
  expect((await ask("GET", "/services/9/lines")).status).toBe(404);
});

it("refuses lines with the place and the reason", async () => {
  for (const [more, pointer, code] of [
    [{ quantity: "0" }, "/quantity", "range"],
    [{ quantity: "0.000" }, "/quantity", "range"],
    [{ quantity: "1.2345" }, "/quantity", "format"],
    [{ quantity: 1 }, "/quantity", "type"],
    [{ unit_price: "-1" }, "/unit_price", "format"],
    [{ unit_price: "999999999999", quantity: "1000" }, "/unit_price", "range"],
    [{ type: "gift" }, "/type", "format"],
    [{ name: " " }, "/name", "too_short"],
    [{ total: "1" }, "/total", "unknown_field"],
    [{ service_id: 99 }, "/service_id", "not_found"],
  ] as const)
    expect([more, await ask("POST", "/lines", aLine(1, more))]).toMatchObject([
      more,
      { status: 422, body: { errors: [{ pointer, code }] } },
    ]);
  // Each line fits; their total does not.
  expect((await ask("POST", "/lines", aLine(1, { unit_price: "999999999999", quantity: "1" }))).status).toBe(201);
  expect(await ask("POST", "/lines", aLine(1))).toMatchObject({ status: 422, body: { errors: [{ code: "range" }] } });
  for (const [method, body] of [
    ["PATCH", { service_id: 1 }],
    ["PUT", aLine(2)],
  ] as const)
    expect(await ask(method, "/lines/1", body, { "if-match": "*" })).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: "/service_id", code: "unknown_field" }] },
    });
  expect(await (await service.get("/metrics")).text()).toContain('postgres_errors_total{kind="other"} 0');
});

it("follows the rules of versions and idempotency keys, and goes with its job", async () => {
  const key = { "idempotency-key": randomUUID() };
  const replies = await Promise.all(
    Array.from({ length: 10 }, () => ask("POST", "/lines", aLine(1, { name: "Kampas" }), key)),
  );
  expect([tally(replies), (await job()).line_count]).toEqual([{ 201: 10 }, 1]);
  expect((await ask("PATCH", "/lines/1", { quantity: "2" })).status).toBe(428);
  expect(await ask("PATCH", "/lines/1", { quantity: "2" }, { "if-match": '"9"' })).toMatchObject({
    status: 412,
    headers: { etag: '"1"' },
  });
  expect((await ask("GET", "/lines/1", undefined, { "if-none-match": '"1"' })).status).toBe(304);
  // The job's price has changed: a change that was begun before it is refused.
  expect((await ask("PATCH", "/services/1", { notes: "x" }, { "if-match": '"1"' })).status).toBe(412);
  expect((await ask("DELETE", "/services/1", undefined, { "if-match": "*" })).status).toBe(204);
  expect((await ask("GET", "/lines/1")).status).toBe(404);
});

it("lines that are written at once are all in the price", async () => {
  const replies = await Promise.all(
    Array.from({ length: 40 }, () => ask("POST", "/lines", aLine(1, { quantity: "1", unit_price: "1000" }))),
  );
  expect(tally(replies)).toEqual({ 201: 40 });
  expect(await job()).toMatchObject({ price: "40000.00", line_count: 40 });
});

it("a job is paid at a time, or not yet", async () => {
  expect((await job()).paid_at).toBeNull();
  expect((await change("/services/1", { paid_at: "2026-11-21T10:00:00+07:00" })).body.paid_at).toBe(
    "2026-11-21T03:00:00.000Z",
  );
  expect((await change("/services/1", { paid_at: null })).body.paid_at).toBeNull();
  expect(await change("/services/1", { paid_at: true })).toMatchObject({
    status: 422,
    body: { errors: [{ pointer: "/paid_at" }] },
  });
});

it("a paid job keeps its price and its lines, and is not cancelled, until the payment is taken back", async () => {
  await ask("POST", "/lines", aLine(1));
  const paid_at = "2026-11-21T03:00:00.000Z";
  await change("/services/1", { paid_at });
  const before = await job();
  const { service_id: _, ...line } = aLine(1, { quantity: "9" });
  const any = { "if-match": "*" };
  const refused = { status: 409, body: { detail: expect.stringContaining("Fix: "), errors: [{ code: "paid" }] } };
  const writes: [method: string, path: string, body?: object][] = [
    ["POST", "/lines", aLine(1)],
    ["PATCH", "/lines/1", { quantity: "9" }],
    ["PUT", "/lines/1", line],
    ["DELETE", "/lines/1"],
    ["PATCH", "/services/1", { price: "1" }],
    ["PATCH", "/services/1", { price: "1", paid_at: "2026-11-22T03:00:00Z" }],
    ["PATCH", "/services/1", { status: "cancelled" }],
  ];
  for (const [method, path, body] of writes)
    expect([method, path, await ask(method, path, body, any)]).toMatchObject([method, path, refused]);
  expect(await job()).toEqual(before);
  // The other version is the reason that a client can do something about.
  expect((await ask("DELETE", "/lines/1", undefined, { "if-match": '"9"' })).status).toBe(412);
  expect(await change("/services/1", { status: "done", notes: "x", price: before.price })).toMatchObject({
    status: 200,
  });

  expect(await change("/services/1", { paid_at: null, status: "cancelled" })).toMatchObject({ status: 200 });
  for (const [method, path, body] of writes.filter(([, path]) => path === "/lines/1"))
    expect((await ask(method, path, body, any)).status).toBeLessThan(300);
});

it("a job is never paid with another price than the one that its last line made", async () => {
  for (let round = 0; round < 20; round++) {
    const { version, price } = await job();
    const [payment, line] = await Promise.all([
      ask("PATCH", "/services/1", { paid_at: "2026-11-21T03:00:00Z" }, { "if-match": `"${version}"` }),
      ask("POST", "/lines", aLine(1)),
    ]);
    expect([
      [200, 409],
      [412, 201],
    ]).toContainEqual([payment.status, line.status]);
    if (payment.status === 200) expect(await job()).toMatchObject({ price });
    await change("/services/1", { paid_at: null });
  }
});

it("the release before, which knows no lines, keeps working on the same rows", async () => {
  await ask("POST", "/lines", aLine(1, { quantity: "2", unit_price: "40000" }));
  const old = (statement: string) => postgres.rows(`SET ROLE halo; ${statement}`).then(() => job());
  expect(await old("UPDATE services SET price = 1, version = version + 1 WHERE id = 1")).toMatchObject({
    price: "80000.00",
  });
  await old(textOf(new URL("releaseBefore.sql", import.meta.url)));
  expect((await ask("GET", "/services/2")).body).toMatchObject({ price: "5000.00", line_count: 0, paid_at: null });
  expect((await ask("GET", "/customers?q=brio%20ayu")).body.items).toHaveLength(1);
  await change("/services/1", { paid_at: "2026-11-21T03:00:00Z" });
  expect(await old("UPDATE services SET price = 1, status = 'cancelled' WHERE id = 1")).toMatchObject({
    price: "80000.00",
    status: "cancelled",
  });
  await old("DELETE FROM services WHERE id = 1");
  expect((await ask("GET", "/lines")).body.items).toEqual([]);
});
