import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import type { PostgresServer } from "../../../../ops/loopback/postgres.ts";
import { createPostgres } from "../support/postgres.ts";
import { Service } from "../support/service.ts";
import { aCustomer, aService, aVehicle, send } from "../support/workshop.ts";

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
  await ask("POST", "/vehicles", aVehicle(1));
});

const ask = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
  send(`${service.url}/api${path}`, method, body, headers);
const job = async (more: object) => {
  const made = await ask("POST", "/services", aService(1, more));
  expect([made.status, made.body]).toEqual([201, expect.anything()]);
  return made.body;
};

it("adds the paid jobs of each local day exactly, and the finished ones without a payment", async () => {
  const jobs = [
    ["0.10", "2026-11-20T16:59:59Z"], // 23:59:59 in Jakarta
    ["0.20", "2026-11-20T17:00:00Z"], // midnight
    ["150000", "2026-11-21T09:00:00Z"],
    ["1", "2026-11-30T17:00:00Z"], // the next month
  ];
  for (const [price, paid_at] of jobs) await job({ price, paid_at, status: "done" });
  await job({ price: "90000", status: "done" });
  await job({ price: "5000", status: "done" });
  await job({ price: "7" });
  const period = "from=2026-10-31T17:00:00Z&to=2026-11-30T17:00:00Z";
  const unpaid = { jobs: 2, total: "95000.00" };
  expect((await ask("GET", `/revenue?${period}`)).body).toEqual({
    days: [
      { day: "2026-11-20", jobs: 1, paid: "0.10" },
      { day: "2026-11-21", jobs: 2, paid: "150000.20" },
    ],
    unpaid,
  });
  const utc = await ask("GET", `/revenue?${period}&offset=%2B00:00`);
  expect(utc.body.days.map(({ day, jobs }: { day: string; jobs: number }) => [day, jobs])).toEqual([
    ["2026-11-20", 2],
    ["2026-11-21", 1],
  ]);
  const west = await ask("GET", `/revenue?${period}&offset=-03:30`);
  expect(west.body.days.map(({ jobs }: { jobs: number }) => jobs)).toEqual([2, 1]);
  expect(await ask("GET", "/revenue?offset=x&q=1")).toMatchObject({ status: 400, body: { errors: [{}, {}] } });
});

it("is nothing without jobs", async () => {
  expect((await ask("GET", "/revenue")).body).toEqual({ days: [], unpaid: { jobs: 0, total: "0.00" } });
});

it("a job has a mechanic, an odometer and a reminder", async () => {
  const more = { mechanic: "Wayan", odometer: 45_000, remind_at: "2027-05-21T02:00:00.000Z" };
  expect(await job(more)).toMatchObject(more);
  expect(await job({})).toMatchObject({ mechanic: null, odometer: null, remind_at: null });
  for (const [field, value, code] of [
    ["mechanic", "x".repeat(81), "too_long"],
    ["odometer", -1, "range"],
    ["odometer", 10_000_000, "range"],
    ["odometer", "45.000", "type"],
    ["remind_at", "2027-05-21", "format"],
  ] as const)
    expect(await ask("POST", "/services", aService(1, { [field]: value }))).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: `/${field}`, code }] },
    });
});

it("a list begins at the time at which its jobs were completed, whenever they were planned", async () => {
  const completed_at = "2026-11-21T05:00:00.000Z";
  const scheduled_at = "2026-06-01T00:00:00Z";
  await job({ status: "done", completed_at, scheduled_at });
  await job({ status: "done", completed_at: "2026-11-21T04:59:59.999Z" });
  await job({ status: "scheduled", scheduled_at: completed_at });
  const { body } = await ask("GET", `/services?completed_from=${completed_at}`);
  expect(body.items).toMatchObject([{ id: 1, completed_at }]);
});

it("the reminders that are due are the ones of vehicles without a newer job", async () => {
  const due = async (before: string) =>
    (await ask("GET", `/services?remind_before=${before}&sort=id`)).body.items.map(({ id }: { id: number }) => id);
  await job({ remind_at: "2026-12-01T00:00:00Z", scheduled_at: "2026-06-01T00:00:00Z" });
  await job({ vehicle_id: 2, remind_at: "2026-12-02T00:00:00Z", scheduled_at: "2026-06-02T00:00:00Z" });
  expect([
    await due("2026-12-01T00:00:00Z"),
    await due("2026-12-01T12:00:00Z"),
    await due("2027-01-01T00:00:00Z"),
  ]).toEqual([[], [1], [1, 2]]);
  await job({ status: "cancelled", scheduled_at: "2026-11-01T00:00:00Z" });
  expect(await due("2027-01-01T00:00:00Z")).toEqual([1, 2]);
  await job({ scheduled_at: "2026-11-02T00:00:00Z" });
  expect(await due("2027-01-01T00:00:00Z")).toEqual([2]);
});
