import { sql } from "kysely";
import pg from "pg";
import { Registry } from "prom-client";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { PostgresServer } from "../../../../ops/loopback/postgres.ts";
import { until } from "../../../../ops/loopback/until.ts";
import { PostgresMeter } from "../../../src/metrics/postgres.ts";
import {
  type Connection,
  Database,
  type DatabaseSettings,
  DatabaseUnavailable,
} from "../../../src/workshop/database.ts";
import { createPostgres } from "../support/postgres.ts";
import { Service } from "../support/service.ts";
import { aCustomer, type Reply, send, tally } from "../support/workshop.ts";

/** Among many, an answer also waits for this process to read it. */
const CROWDED_MS = 1500;

let postgres: PostgresServer;
let service: Service;

beforeAll(async () => {
  postgres = await createPostgres({ durable: true });
});
beforeEach(async () => {
  await postgres.start();
  await postgres.empty();
  service = await Service.startWorkshop(postgres);
});
afterEach(async () => {
  await service?.kill();
  await postgres.signal("SIGCONT");
});
afterAll(() => postgres?.destroy());

const create = (name?: string) => send(`${service.url}/api/customers`, "POST", aCustomer(name ? { name } : {}));

/** The refusal that the contract promises: within a second, and with the word when to come again. */
function expectRefusal({ status, headers, body, ms }: Reply, withinMs = 1000): void {
  expect([status, headers["retry-after"], headers["content-type"]]).toEqual([
    503,
    "1",
    expect.stringContaining("application/problem+json"),
  ]);
  expect(body).toMatchObject({ status: 503, request_id: expect.any(String) });
  expect(JSON.stringify(body)).not.toMatch(/ECONN|127\.0\.0\.1|pg_|terminat/);
  expect(ms).toBeLessThan(withinMs);
}

const expectBack = () => until("the workshop to be back", async () => (await create()).status === 201, 5000);

/** Writes with 8 clients until the returned function is called, which resolves with the reply by the name that was sent. */
function startWriting(): () => Promise<Map<string, Reply>> {
  const sent = new Map<string, Reply>();
  let running = true;
  let n = 0;
  const client = async () => {
    while (running) {
      const name = `Tulis ${++n}`;
      sent.set(name, await create(name));
    }
  };
  const done = Promise.all(Array.from({ length: 8 }, client));
  return async () => {
    running = false;
    await done;
    return sent;
  };
}

/** No acknowledged write is lost, none came twice, and every other write was refused as promised. */
async function expectHonest(sent: Map<string, Reply>): Promise<void> {
  const rows = await postgres.rows("SELECT id, name FROM customers WHERE name LIKE 'Tulis %'");
  const names = rows.map(({ name }) => name as string);
  expect(new Set(names).size).toBe(names.length);
  const acknowledged = [...sent].filter(([, { status }]) => status === 201).map(([name]) => name);
  expect(acknowledged.filter((name) => !names.includes(name))).toEqual([]);
  for (const reply of sent.values()) if (reply.status !== 201) expectRefusal(reply, CROWDED_MS);
}

it("killed and restarted under writes: no acknowledged write is lost, refusals are fast, recovery is automatic", async () => {
  const stop = startWriting();
  for (let i = 0; i < 3; i++) {
    const before = Number((await postgres.rows("SELECT count(*) FROM customers"))[0]?.count);
    await until("some writes", async () => {
      return Number((await postgres.rows("SELECT count(*) FROM customers"))[0]?.count) > before + 50;
    });
    await postgres.signal("SIGKILL");
    await until("a refusal", async () => (await create()).status === 503);
    await postgres.start();
    await expectBack();
  }
  const sent = await stop();
  console.log("writes while PostgreSQL was killed three times:", tally([...sent.values()]));
  await expectHonest(sent);
});

it("a long outage: each request is refused within a second; alive but not ready; recovery is automatic", async () => {
  await postgres.signal("SIGINT");
  expectRefusal(await create());
  for (const path of ["/api/customers", "/api/vehicles?q=B", "/api/services/1", "/api/customers/1/services"])
    expectRefusal(await send(service.url + path));
  for (const reply of await Promise.all(Array.from({ length: 50 }, () => create()))) expectRefusal(reply, CROWDED_MS);
  expect((await service.get("/healthz")).status).toBe(200);
  expect((await service.get("/api/openapi.json")).status).toBe(200);
  const ready = await service.get("/readyz");
  expect(ready.status).toBe(503);
  await postgres.start();
  await expectBack();
});

describe("frozen", () => {
  it("each write is refused within a second; afterwards no connection is lost", async () => {
    const stop = startWriting();
    await until("some writes", async () => {
      return Number((await postgres.rows("SELECT count(*) FROM customers"))[0]?.count) > 50;
    });
    await postgres.signal("SIGSTOP");
    for (let i = 0; i < 3; i++) expectRefusal(await create());
    for (const reply of await Promise.all(Array.from({ length: 50 }, () => create()))) expectRefusal(reply, CROWDED_MS);
    await postgres.signal("SIGCONT");
    await expectBack();
    const sent = await stop();
    console.log("writes while PostgreSQL stood still:", tally([...sent.values()]));
    await expectHonest(sent);
    await until("the connections to be no more than the pool's", async () => {
      const [row] = await postgres.rows("SELECT count(*) FROM pg_stat_activity WHERE usename = 'halo'");
      return Number(row?.count) <= 8;
    });
  });

  it("/readyz reports it within a second", async () => {
    await postgres.signal("SIGSTOP");
    const started = performance.now();
    const ready = await service.get("/readyz");
    expect([ready.status, performance.now() - started < 1000]).toEqual([503, true]);
  });
});

it("an administrator ends its connections: only requests in progress fail", async () => {
  for (let i = 0; i < 3; i++) {
    await Promise.all(Array.from({ length: 20 }, () => create()));
    const ended = await postgres.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'halo'");
    expect(ended.length).toBeGreaterThan(0);
    const replies = await Promise.all(Array.from({ length: 20 }, () => create()));
    for (const reply of replies) if (reply.status !== 201) expectRefusal(reply, CROWDED_MS);
    await expectBack();
  }
});

it("a locked row: the change waits at most a second, and other requests do not wait", async () => {
  const { body } = await create();
  await postgres.ask(async (holder) => {
    await holder.query("BEGIN");
    await holder.query("SELECT FROM customers WHERE id = $1 FOR UPDATE", [body.id]);
    const url = `${service.url}/api/customers/${body.id}`;
    const changes = Promise.all(
      Array.from({ length: 4 }, () => send(url, "PATCH", { name: "Siti" }, { "If-Match": "*" })),
    );
    expect((await send(url)).status).toBe(200);
    expect((await create()).status).toBe(201);
    for (const reply of await changes) expectRefusal(reply);
  });
});

it("without PostgreSQL at the start it listens and refuses, and recovers by itself", async () => {
  await service.kill();
  await postgres.signal("SIGINT");
  service = await Service.launch({ REDIS_PORT: "1", ...postgres.env });
  await until("the service to be ready", () => service.ready);
  expectRefusal(await create());
  await postgres.start();
  await expectBack();
});

describe("idle connections whose end PostgreSQL has not noticed", () => {
  let registry: Registry;
  let database: Database;
  let pids: number[];
  const ask = (db: Connection) => sql`select pg_sleep(0.1)`.execute(db);

  beforeEach(async () => {
    registry = new Registry();
    const settings = { ...postgres.env, PGPORT: postgres.port, PG_POOL_MAX: 8 } as DatabaseSettings;
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    database = new Database(settings, "idle", new PostgresMeter(registry));
    await Promise.all([database.run(ask), database.run(ask)]);
    const mine = await postgres.rows<{ pid: number }>(
      "SELECT pid FROM pg_stat_activity WHERE application_name = 'idle'",
    );
    pids = mine.map(({ pid }) => pid);
    await postgres.signal("SIGSTOP");
    vi.advanceTimersByTime(30_000);
    vi.useRealTimers();
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    vi.useRealTimers();
    await database.close();
  });

  it("are replaced by one login at a time", async () => {
    const used = async () => {
      const { values = [] } = (await registry.getSingleMetric("postgres_pool_connections")?.get()) ?? {};
      return values.find(({ labels }) => labels.state === "used")?.value;
    };
    expect([pids.length, await used()]).toEqual([2, 0]);
    const requests = Promise.allSettled([1, 2, 3].map(() => database.run(ask)));
    await until("a login", used);
    expect(await used()).toBe(1);
    await requests;
  });

  it("count once, also if they end with an error: the next request is admitted", async () => {
    const emitted = vi.spyOn(pg.Pool.prototype, "emit");
    for (const pid of pids) process.kill(pid, "SIGTERM");
    await postgres.signal("SIGCONT");
    const removed = () =>
      emitted.mock.calls.filter(([event]) => String(event) === "remove").map(([, client]) => client);
    await until("the connections to be removed", () => new Set(removed()).size === pids.length);
    await database.run(ask);
  });
});

it("an answer that comes too late: the request is refused without a trace, and its connection serves the next one", async () => {
  const settings = { ...postgres.env, PGPORT: postgres.port, PG_POOL_MAX: 1 } as DatabaseSettings;
  const database = new Database(settings, "late", new PostgresMeter(new Registry()));
  const pid = async () =>
    (await database.run((db) => sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db))).rows;
  try {
    const before = await pid();
    // Each of the two is within the time of a statement; both are not within the time of a request.
    const slow = database.transaction(async (db) => {
      await sql`insert into customers (name, phone) select 'Tulis', pg_sleep(0.6)::text`.execute(db);
      await sql`select pg_sleep(0.6)`.execute(db);
    });
    await expect(slow).rejects.toThrow(DatabaseUnavailable);
    expect(await pid()).toEqual(before);
    expect(await postgres.rows("SELECT FROM customers")).toEqual([]);
  } finally {
    await database.close();
  }
});

it("slow logins: writes are refused meanwhile, and the logins do not delay each other until all time out", async () => {
  await postgres.signal("SIGINT");
  // A login takes longer than any request waits for one.
  await postgres.start({ pre_auth_delay: 1, log_connections: "on" });
  postgres.log = "";
  const stop = startWriting();
  await until("a write to be acknowledged", async () => (await create("Tulis nanti")).status === 201, 10_000);
  expect(postgres.log.match(/connection received/g)?.length).toBeLessThan(10);
  await expectHonest(await stop());
  await postgres.signal("SIGINT");
});

it("a migration that changes a column's type costs each connection one refusal of a single row, and none of a list", async () => {
  const list = () => send(`${service.url}/api/customers`);
  const migrate = (type: string) =>
    postgres.ask(async (client) => {
      await client.query(`SET ROLE halo_owner; ALTER TABLE workshop.customers ALTER COLUMN address TYPE ${type}`);
    });
  const { body } = await create("Ayu");
  const row = () => send(`${service.url}/api/customers/${body.id}`);
  expect((await list()).body.items).toMatchObject([{ name: "Ayu" }]);
  expect((await row()).body).toMatchObject({ name: "Ayu" });
  try {
    await migrate("varchar(200)");
    expect((await list()).body.items).toMatchObject([{ name: "Ayu" }]);
    expectRefusal(await row());
    expect((await row()).body).toMatchObject({ name: "Ayu" });
  } finally {
    await migrate("text");
  }
});
