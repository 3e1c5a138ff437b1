import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { PostgresServer } from "../../../../ops/loopback/postgres.ts";
import { until } from "../../../../ops/loopback/until.ts";
import { createPostgres } from "../support/postgres.ts";
import { Service } from "../support/service.ts";
import { aCustomer, aLine, aService, aVehicle, send } from "../support/workshop.ts";

let postgres: PostgresServer;
let service: Service;

beforeAll(async () => {
  postgres = await createPostgres();
  service = await Service.launch({ REDIS_PORT: "1", ...postgres.env, WORKSHOP_LOGIN: "on" });
  await until("the service to listen", () => service.ready);
});
afterAll(async () => {
  await service?.kill();
  await postgres?.destroy();
});
beforeEach(() => postgres.empty());

/** A request as the balancer passes it on, after it has checked the login of a person. */
const ask = (method: string, path: string, body?: unknown, person = "ayu", more: Record<string, string> = {}) =>
  send(`${service.url}/api${path}`, method, body, { "x-halo-person": person, ...more });
const any = { "if-match": "*" };
type Change = { at: string; person: string; action: string; fields: Record<string, unknown> };
const changes = async (path: string): Promise<unknown[]> =>
  (await ask("GET", `${path}/changes`)).body.items.map(({ person, action, fields }: Change) => [
    person,
    action,
    fields,
  ]);

describe("with a login", () => {
  it.each([
    ["no name", {}],
    ["an empty name", { "x-halo-person": "" }],
    ["a name that no login has", { "x-halo-person": "a, b" }],
    ["a password alone", { authorization: "Basic YXl1Ong=" }],
  ])("a request with %s is refused by every address of the API", async (_, headers) => {
    for (const [method, path] of [
      ["GET", ""],
      ["GET", "/openapi.json"],
      ["GET", "/customers"],
      ["POST", "/intake"],
      ["DELETE", "/customers/1"],
      ["GET", "/nothing"],
    ] as const) {
      const { status, body } = await send(`${service.url}/api${path}`, method, undefined, headers);
      expect([path, status, body]).toMatchObject([path, 403, { detail: expect.stringContaining("Fix: ") }]);
    }
    expect((await service.get("/healthz")).status).toBe(200);
  });

  it("a peer that is no balancer cannot name a person", async () => {
    const other = await Service.launch({
      REDIS_PORT: "1",
      ...postgres.env,
      WORKSHOP_LOGIN: "on",
      TRUSTED_PROXIES: "192.0.2.1",
    });
    try {
      await until("the service to listen", () => other.ready);
      expect((await send(`${other.url}/api/customers`, "GET", undefined, { "x-halo-person": "ayu" })).status).toBe(403);
    } finally {
      await other.kill();
    }
  });

  it("each answer names the person, and each change is written down with its author", async () => {
    const { body, headers } = await ask("POST", "/customers", aCustomer());
    expect(headers["x-person"]).toBe("ayu");
    await ask("POST", "/vehicles", aVehicle(1), "budi");
    await ask("PATCH", `/customers/${body.id}`, { phone: "0812-9999-9999" }, "budi", any);
    expect(await changes("/customers/1")).toEqual([
      ["budi", "changed", { phone: true }],
      ["ayu", "created", {}],
    ]);
    expect(await changes("/vehicles/1")).toEqual([["budi", "created", {}]]);
  });

  it("a job has its moves, its payment and its lines, with the values that are no personal data", async () => {
    const { vehicle_id: _, ...work } = aService(1);
    const { customer_id: __, ...car } = aVehicle(1);
    await ask("POST", "/intake", { customer: aCustomer(), vehicle: car, service: work });
    await ask("POST", "/lines", aLine(1, { name: "Oli" }), "budi");
    await ask("PATCH", "/lines/1", { quantity: "2" }, "budi", any);
    await ask("PATCH", "/services/1", { status: "done", notes: "rahasia" }, "ayu", any);
    await ask("DELETE", "/lines/1", undefined, "ayu", any);
    await ask("PATCH", "/services/1", { paid_at: "2026-11-21T03:00:00Z" }, "citra", any);
    expect(await changes("/services/1")).toEqual([
      ["citra", "changed", { paid_at: "2026-11-21T03:00:00.000Z" }],
      ["ayu", "changed", { line_deleted: "Oli" }],
      ["ayu", "changed", { status: "done", notes: true }],
      ["budi", "changed", { line_changed: "Oli" }],
      ["budi", "changed", { line_created: "Oli" }],
      ["ayu", "created", {}],
    ]);
    expect(await changes("/customers/1")).toEqual([["ayu", "created", {}]]);
    const first = await ask("GET", "/services/1/changes?limit=2");
    const rest = await ask("GET", `/services/1/changes?limit=100&after=${first.body.next}`);
    expect([first.body.items.length, rest.body.items.length]).toEqual([2, 4]);
  });

  it("a change names only the fields that have another value, and a change of nothing is none", async () => {
    await ask("POST", "/customers", aCustomer());
    await ask("POST", "/vehicles", aVehicle(1));
    const { vehicle_id, kind, price, scheduled_at } = (await ask("POST", "/services", aService(1))).body;
    const same = { vehicle_id, kind, price: "350000", scheduled_at };
    for (const body of [same, { ...same, notes: "x" }, { ...same, notes: "x", price: "360000.5" }])
      await ask("PUT", "/services/1", body, "budi", any);
    await ask("POST", "/lines", aLine(1, { quantity: "2", unit_price: "1000" }));
    await ask("PATCH", "/lines/1", { quantity: "2.0" }, "budi", any);
    // The price of a job with lines stays their total.
    await ask("PATCH", "/services/1", { price: "1", mechanic: "Wayan" }, "budi", any);
    expect(price).toBe("350000.00");
    expect(await changes("/services/1")).toEqual([
      ["budi", "changed", { mechanic: true }],
      ["ayu", "changed", { line_created: "Oli mesin 10W-40" }],
      ["budi", "changed", { price: "360000.5" }],
      ["budi", "changed", { notes: true }],
      ["ayu", "created", {}],
    ]);
  });

  it("a refused change is nobody's, and a deleted row keeps its authors", async () => {
    await ask("POST", "/customers", aCustomer());
    expect((await ask("PATCH", "/customers/1", { name: "x" }, "budi", { "if-match": '"9"' })).status).toBe(412);
    await ask("POST", "/vehicles", aVehicle(1));
    expect((await ask("DELETE", "/customers/1", undefined, "budi", any)).status).toBe(409);
    await ask("DELETE", "/vehicles/1", undefined, "budi", any);
    expect((await ask("DELETE", "/customers/1", undefined, "budi", any)).status).toBe(204);
    expect(await changes("/customers/1")).toEqual([
      ["budi", "deleted", {}],
      ["ayu", "created", {}],
    ]);
    expect((await ask("GET", "/customers/7/changes")).status).toBe(404);
    expect((await ask("GET", "/customers/1/changes?row=1")).status).toBe(400);
  });

  it("a repeated request with one idempotency key is written down once", async () => {
    const key = { "idempotency-key": "once" };
    const body = aCustomer();
    await Promise.all(Array.from({ length: 10 }, () => ask("POST", "/customers", body, "ayu", key)));
    expect(await changes("/customers/1")).toEqual([["ayu", "created", {}]]);
  });
});

it("without a login everybody is answered, and no change has an author", async () => {
  const open = await Service.startWorkshop(postgres);
  try {
    const { headers } = await send(`${open.url}/api/customers`, "POST", aCustomer());
    expect(headers["x-person"]).toBeUndefined();
    expect((await send(`${open.url}/api/customers/1/changes`)).body).toEqual({ items: [], next: null });
  } finally {
    await open.kill();
  }
});
