import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import type { PostgresServer } from "../../../../ops/loopback/postgres.ts";
import { until } from "../../../../ops/loopback/until.ts";
import { STATEMENT_TIMEOUT_MS } from "../../../src/workshop/database.ts";
import { createPostgres } from "../support/postgres.ts";
import { Service } from "../support/service.ts";
import { aCustomer, aService, aVehicle, type Reply, send, tally } from "../support/workshop.ts";

let postgres: PostgresServer;
let first: Service;
let second: Service;

beforeAll(async () => {
  postgres = await createPostgres();
  [first, second] = await Promise.all([
    Service.startWorkshop(postgres),
    Service.startWorkshop(postgres, { HALO_NAME: "web2" }),
  ]);
});
beforeEach(() => postgres.empty());
afterAll(async () => {
  await Promise.all([first?.kill(), second?.kill()]);
  await postgres?.destroy();
});

const count = async (table: string) => Number((await postgres.rows(`SELECT count(*) FROM ${table}`))[0]?.count);
const either = (i: number) => (i % 2 === 0 ? first : second).url;

it("one of 200 creations of a plate at once succeeds, in any spelling; the others get the reason", async () => {
  const customer = await send(`${first.url}/api/customers`, "POST", aCustomer());
  const plates = ["B 1234 XYZ", "b 1234 xyz", " B  1234  XYZ "];
  const replies = await Promise.all(
    Array.from({ length: 200 }, (_, i) =>
      send(`${either(i)}/api/vehicles`, "POST", aVehicle(customer.body.id, { plate: plates[i % plates.length] })),
    ),
  );
  expect(tally(replies)).toEqual({ 201: 1, 409: 199 });
  for (const { body } of replies.filter(({ status }) => status === 409))
    expect(body.errors).toEqual([{ pointer: "/plate", code: "taken", detail: expect.any(String) }]);
  expect(await count("vehicles")).toBe(1);
});

it("one of 100 changes with the same ETag succeeds; the others get 412 and the present ETag", async () => {
  const { body, headers } = await send(`${first.url}/api/customers`, "POST", aCustomer());
  const replies = await Promise.all(
    Array.from({ length: 100 }, (_, i) =>
      send(
        `${either(i)}/api/customers/${body.id}`,
        "PATCH",
        { name: `Nama ${i}` },
        { "If-Match": String(headers.etag) },
      ),
    ),
  );
  expect(tally(replies)).toEqual({ 200: 1, 412: 99 });
  const winner = replies.find(({ status }) => status === 200);
  const now = await send(`${second.url}/api/customers/${body.id}`);
  expect([now.body, now.headers.etag]).toEqual([winner?.body, winner?.headers.etag]);
  expect(now.headers.etag).not.toBe(headers.etag);
  for (const loser of replies.filter(({ status }) => status === 412)) expect(loser.headers.etag).toBe(now.headers.etag);
});

it("a concurrent change and deletion: one of them succeeds, never half of both", async () => {
  for (let i = 0; i < 10; i++) {
    const { body, headers } = await send(`${first.url}/api/customers`, "POST", aCustomer());
    const url = `/api/customers/${body.id}`;
    const match = { "If-Match": String(headers.etag) };
    const [change, removal] = await Promise.all([
      send(first.url + url, "PATCH", { name: "Siti" }, match),
      send(second.url + url, "DELETE", undefined, match),
    ]);
    expect([
      [200, 412],
      [404, 204],
      [412, 204],
    ]).toContainEqual([change.status, removal.status]);
    expect((await send(first.url + url)).status).toBe(change.status === 200 ? 200 : 404);
  }
});

it("an intake of a known car and a change of this car at once both succeed", async () => {
  const customer = await send(`${first.url}/api/customers`, "POST", aCustomer());
  const vehicle = await send(`${first.url}/api/vehicles`, "POST", aVehicle(customer.body.id));
  const { vehicle_id: _, ...service } = aService(vehicle.body.id);
  const intake = { customer: { id: customer.body.id }, vehicle: { id: vehicle.body.id }, service };
  for (let round = 0; round < 25; round++) {
    const change = { model: `Model ${round}` };
    const replies = await Promise.all([
      ...[first, second].map(({ url }) => send(`${url}/api/intake`, "POST", intake)),
      ...[first, second].map(({ url }) =>
        send(`${url}/api/vehicles/${vehicle.body.id}`, "PATCH", change, { "If-Match": "*" }),
      ),
    ]);
    expect([round, tally(replies)]).toEqual([round, { 200: 2, 201: 2 }]);
  }
  const [row] = await postgres.rows("SELECT deadlocks FROM pg_stat_database WHERE datname = 'halo'");
  expect(Number(row?.deadlocks)).toBe(0);
});

it("PostgreSQL ends a deadlock of the service before it ends the statement, so that the service can repeat it", async () => {
  const [row] = await postgres.rows("SELECT rolconfig FROM pg_roles WHERE rolname = 'halo'");
  const [, ms] = `${row?.rolconfig}`.match(/deadlock_timeout=(\d+)ms/) ?? [];
  expect(Number(ms)).toBeLessThan(STATEMENT_TIMEOUT_MS / 2);
});

it("a change of a car's year does not wait for its owner, whose search text stays the same", async () => {
  const { body } = await send(`${first.url}/api/customers`, "POST", aCustomer());
  const car = await send(`${first.url}/api/vehicles`, "POST", aVehicle(body.id));
  await postgres.ask(async (holder) => {
    await holder.query("BEGIN");
    await holder.query("SELECT FROM customers WHERE id = $1 FOR NO KEY UPDATE", [body.id]);
    const change = (changes: object) =>
      send(`${first.url}/api/vehicles/${car.body.id}`, "PATCH", changes, { "If-Match": "*" });
    expect((await change({ year: 2019, vin: "MHKA1BB2C3D456789" })).status).toBe(200);
    expect((await change({ model: "Brio" })).status).toBe(503);
    await holder.query("ROLLBACK");
  });
});

it("a customer is not deleted while a vehicle for it is created", async () => {
  for (let i = 0; i < 20; i++) {
    const { body } = await send(`${first.url}/api/customers`, "POST", aCustomer());
    const [vehicle, removal] = await Promise.all([
      send(`${first.url}/api/vehicles`, "POST", aVehicle(body.id)),
      send(`${second.url}/api/customers/${body.id}`, "DELETE", undefined, { "If-Match": "*" }),
    ]);
    expect([
      [201, 409],
      [422, 204],
    ]).toContainEqual([vehicle.status, removal.status]);
  }
});

it("one Idempotency-Key 50 times in two processes, one killed meanwhile: one row, and all get its response", async () => {
  const victim = await Service.startWorkshop(postgres, { HALO_NAME: "web3" });
  const body = aCustomer();
  const key = { "Idempotency-Key": "fifty-times" };
  let lost = 0;
  const client = async (service: Service): Promise<Reply> => {
    const end = performance.now() + 20_000;
    while (performance.now() < end) {
      try {
        const reply = await send(`${service.url}/api/customers`, "POST", body, key);
        if (reply.status !== 503) return reply;
      } catch {
        lost += 1;
        service = second;
      }
    }
    throw new Error("no answer within 20 s");
  };
  // With the table held, every transaction stands in the middle when its process is killed.
  const replies = await postgres.ask(async (holder) => {
    await holder.query("BEGIN; LOCK TABLE customers IN EXCLUSIVE MODE");
    const under = Promise.all(Array.from({ length: 50 }, (_, i) => client(i % 2 === 0 ? victim : second)));
    await until("writes to wait in both processes", async () => {
      const [row] = await postgres.rows(
        "SELECT count(DISTINCT client_port) FROM pg_stat_activity WHERE usename = 'halo' AND wait_event_type = 'Lock'",
      );
      return Number(row?.count) >= 2;
    });
    await victim.kill();
    await holder.query("COMMIT");
    return under;
  });
  expect(lost).toBeGreaterThan(0);
  expect(tally(replies)).toEqual({ 201: 50 });
  expect(new Set(replies.map((reply) => JSON.stringify(reply.body))).size).toBe(1);
  // One at most was answered first hand: the process that made the row may be the one that died.
  const fresh = replies.filter(({ headers }) => headers["idempotency-replayed"] !== "true");
  expect(fresh.length).toBeLessThanOrEqual(1);
  expect(await count("customers")).toBe(1);
});
