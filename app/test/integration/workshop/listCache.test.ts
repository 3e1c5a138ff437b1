import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { PostgresServer } from "../../../../ops/loopback/postgres.ts";
import { RedisServer } from "../../../../ops/loopback/redis.ts";
import { until } from "../../../../ops/loopback/until.ts";
import { readMetrics } from "../support/metrics.ts";
import { createPostgres } from "../support/postgres.ts";
import { Service } from "../support/service.ts";
import { aCustomer, aLine, aService, aVehicle, type Reply, send } from "../support/workshop.ts";

let redis: RedisServer;
let postgres: PostgresServer;
let first: Service;
let second: Service;

beforeAll(async () => {
  [redis, postgres] = await Promise.all([RedisServer.prepare(), createPostgres()]);
  await redis.start();
  [first, second] = await Promise.all([
    Service.startConnected(redis, postgres.env),
    Service.startConnected(redis, { ...postgres.env, HALO_NAME: "web2" }),
  ]);
});
afterAll(async () => {
  await Promise.all([first?.kill(), second?.kill()]);
  await Promise.all([redis?.destroy(), postgres?.destroy()]);
});
// The rows go past the services, whose lists the first customer makes old.
beforeEach(async () => {
  await postgres.empty();
  expect((await create(first)).status).toBe(201);
});

const ask = (service: Service, method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
  send(`${service.url}/api${path}`, method, body, headers);
const create = (service: Service) => ask(service, "POST", "/customers", aCustomer());
const change = (service: Service, path: string, body: unknown) =>
  ask(service, "PATCH", path, body, { "If-Match": "*" });
const list = (service: Service, path = "/customers") => ask(service, "GET", path);
const direct = (service: Service, path = "/customers") =>
  ask(service, "GET", path, undefined, { "X-Halo-Cache": "off" });
const cacheOf = ({ headers }: Reply) => headers["x-cache"];
const untilHit = (service: Service, path = "/customers") =>
  until(`${path} from memory`, async () => {
    const reply = await list(service, path);
    return cacheOf(reply) === "hit" ? reply : undefined;
  });

it("a write through one service is in the next list of the other one, which had an older one in memory", async () => {
  for (let rows = 1; rows <= 20; rows++) {
    const [writer, reader] = rows % 2 === 0 ? [first, second] : [second, first];
    expect((await untilHit(reader)).body.items).toHaveLength(rows);
    expect((await create(writer)).status).toBe(201);
    const next = await list(reader);
    expect([cacheOf(next), next.body.items.length]).toEqual(["miss", rows + 1]);
  }
});

it("a list from memory is the one that was read, with its headers", async () => {
  await create(first);
  const page = await direct(first, "/customers?limit=1");
  const hit = await untilHit(first, "/customers?limit=1");
  expect([hit.status, hit.body]).toEqual([200, page.body]);
  for (const name of ["link", "content-type", "content-length", "cache-control", "etag"])
    expect([name, hit.headers[name]]).toEqual([name, page.headers[name]]);
  expect(hit.headers.link).toContain('rel="next"');
});

it("each kind of write makes every list old that it changes", async () => {
  await ask(first, "POST", "/vehicles", aVehicle(1));
  await ask(first, "POST", "/services", aService(1));
  await ask(first, "POST", "/lines", aLine(1));
  const paths = [
    "/customers",
    "/customers?q=avanza",
    "/customers/1/vehicles",
    "/customers/1/services",
    "/vehicles",
    "/vehicles?q=toyota",
    "/vehicles/1/services",
    "/services",
    "/services?status=done",
    "/services/1/lines",
    "/lines?service_id=1",
  ];
  const any = { "If-Match": "*" };
  const { vehicle_id: _, ...work } = aService(1);
  const { customer_id: __, ...car } = aVehicle(1);
  const writes: [name: string, status: number, write: () => Promise<Reply>][] = [
    ["a customer's name", 200, () => change(second, "/customers/1", { name: "Siti" })],
    ["a vehicle's model", 200, () => change(second, "/vehicles/1", { model: "Calya" })],
    ["a job's state", 200, () => change(second, "/services/1", { status: "done" })],
    ["a new line", 201, () => ask(second, "POST", "/lines", aLine(1))],
    ["a line's price", 200, () => change(second, "/lines/1", { unit_price: "1000" })],
    ["an intake", 201, () => ask(second, "POST", "/intake", { customer: aCustomer(), vehicle: car, service: work })],
    ["no line", 204, () => ask(second, "DELETE", "/lines/1", undefined, any)],
    ["no job", 204, () => ask(second, "DELETE", "/services/1", undefined, any)],
    ["no vehicle", 204, () => ask(second, "DELETE", "/vehicles/1", undefined, any)],
    ["no customer", 204, () => ask(second, "DELETE", "/customers/1", undefined, any)],
  ];
  const all = (read: typeof list) =>
    Promise.all(
      paths.map(async (path) => {
        const { status, body } = await read(first, path);
        return [path, status, status === 200 ? body.items : undefined];
      }),
    );
  for (const [name, status, write] of writes) {
    const before = await all(direct);
    // A list inside of a row that is gone is a 404, which is not kept.
    for (const [path, status] of before) if (status === 200) await untilHit(first, String(path));
    expect([name, (await write()).status]).toEqual([name, status]);
    const lists = await all(list);
    expect([name, lists]).toEqual([name, await all(direct)]);
    expect([name, lists]).not.toEqual([name, before]);
  }
});

it("a list whose statement began before a commit and ended after the write is not kept", async () => {
  const key = 153;
  const path = "/customers?limit=50";
  await postgres.ask(async (admin) => {
    // A statement of the first service that reads customers waits for the lock, with the snapshot that it has taken before.
    const waits = `EXISTS (SELECT FROM pg_advisory_xact_lock_shared(${key}))`;
    const rows = `current_setting('application_name') <> 'web1' OR ${waits}`;
    await admin.query("ALTER TABLE customers ENABLE ROW LEVEL SECURITY");
    await admin.query(`CREATE POLICY reads ON customers FOR SELECT USING (${rows})`);
    await admin.query("CREATE POLICY inserts ON customers FOR INSERT WITH CHECK (true)");
    try {
      await admin.query(`SELECT pg_advisory_lock(${key})`);
      const late = list(first, path);
      const waiting = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
      await until("the statement to wait", async () => (await postgres.rows(waiting)).length > 0);
      expect((await create(second)).status).toBe(201);
      await admin.query(`SELECT pg_advisory_unlock(${key})`);
      const old = await late;
      expect([old.status, cacheOf(old), old.body.items.length]).toEqual([200, "miss", 1]);
      const next = await list(first, path);
      expect([cacheOf(next), next.body.items.length]).toEqual(["miss", 2]);
    } finally {
      await admin.query("SELECT pg_advisory_unlock_all()");
      for (const policy of ["reads", "inserts"]) await admin.query(`DROP POLICY ${policy} ON customers`);
      await admin.query("ALTER TABLE customers DISABLE ROW LEVEL SECURITY");
    }
  });
});

describe("without Redis", () => {
  it("killed: lists and writes go on; when it is back, no list is from before", async () => {
    await Promise.all([untilHit(first), untilHit(second)]);
    await redis.signal("SIGKILL");
    try {
      for (const service of [first, second]) {
        const reply = await list(service);
        expect([reply.status, cacheOf(reply), reply.ms < 1000]).toEqual([200, "off", true]);
      }
      const made = await create(second);
      expect([made.status, made.ms < 1000]).toEqual([201, true]);
      expect((await list(first)).body.items).toHaveLength(2);
    } finally {
      await redis.start();
    }
    for (const service of [first, second]) expect((await untilHit(service)).body.items).toHaveLength(2);
  });

  it("frozen: lists and writes wait for a bounded time; when it goes on, the write is in all lists", async () => {
    await Promise.all([untilHit(first), untilHit(second)]);
    await redis.signal("SIGSTOP");
    try {
      const made = await create(second);
      expect([made.status, made.ms < 2500]).toEqual([201, true]);
      for (const service of [first, second]) {
        const reply = await list(service);
        expect([reply.status, cacheOf(reply), reply.ms < 1000]).toEqual([200, "off", true]);
        expect(reply.body.items).toHaveLength(2);
      }
    } finally {
      await redis.signal("SIGCONT");
    }
    for (const service of [first, second])
      await until("the write", async () => (await untilHit(service)).body.items.length === 2);
  });
});

it("the metrics count each list, as a hit or by the reason why it was none", async () => {
  const names = ["hit", "changed", "away"].map((result) => `list_cache_reads_total{result="${result}"}`);
  const counts = async () => {
    const metrics = await readMetrics(first.url);
    return names.map((name) => metrics.get(name) ?? Number.NaN);
  };
  await untilHit(first);
  const before = await counts();
  await list(first);
  await create(second);
  await list(first);
  await list(first);
  const after = await counts();
  expect(after.map((count, i) => count - (before[i] ?? 0))).toEqual([2, 1, 0]);
});

it("WORKSHOP_CACHE=off: each list is read, and a write makes the others' lists old", async () => {
  const off = await Service.startConnected(redis, { ...postgres.env, HALO_NAME: "web3", WORKSHOP_CACHE: "off" });
  try {
    for (let i = 0; i < 3; i++) expect(cacheOf(await list(off))).toBe("off");
    await untilHit(first);
    await create(off);
    expect((await list(first)).body.items).toHaveLength(2);
  } finally {
    await off.kill();
  }
});
