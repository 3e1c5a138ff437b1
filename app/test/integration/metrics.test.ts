import { once } from "node:events";
import { request } from "node:http";
import { connect, createServer } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { freePort } from "../../../ops/loopback/port.ts";
import type { PostgresServer } from "../../../ops/loopback/postgres.ts";
import { RedisServer } from "../../../ops/loopback/redis.ts";
import { until } from "../../../ops/loopback/until.ts";
import { readMetrics } from "./support/metrics.ts";
import { createPostgres } from "./support/postgres.ts";
import { Service } from "./support/service.ts";
import { aCustomer, send } from "./support/workshop.ts";

let redis: RedisServer;
let postgres: PostgresServer;
let service: Service;
let metricsUrl: string;

beforeAll(async () => {
  redis = await RedisServer.prepare();
  await redis.start();
  postgres = await createPostgres();
  const port = await freePort();
  metricsUrl = `http://127.0.0.1:${port}`;
  service = await Service.startConnected(redis, { ...postgres.env, PG_POOL_MAX: "2", HALO_METRICS_PORT: String(port) });
});

afterAll(async () => {
  await service?.kill();
  await postgres?.destroy();
  await redis?.destroy();
});

/** How much each sample that has changed grew while something was done. */
async function grown(work: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = await readMetrics(metricsUrl);
  await work();
  // The client has its answer before the service counts it.
  await until("the end of every request", async () => (await of("http_requests_in_flight")) === 0);
  const after = await readMetrics(metricsUrl);
  const changes = [...after].map(([name, value]) => [name, value - (before.get(name) ?? 0)] as const);
  return Object.fromEntries(changes.filter(([, change]) => change !== 0));
}

const of = async (sample: string) => (await readMetrics(metricsUrl)).get(sample) ?? 0;
const total = (method: string, route: string, status: number) =>
  `http_requests_total{method="${method}",route="${route}",status="${status}"}`;
const count = (name: string, labels: string) => `${name}_count{${labels}}`;

describe("GET /metrics", () => {
  it("is Prometheus' text on the service's port and on its own, of the same worker", async () => {
    for (const url of [service.url, metricsUrl]) {
      const response = await fetch(`${url}/metrics`);
      expect(response.status).toBe(200);
      const type = Object.fromEntries(
        (response.headers.get("content-type") ?? "").split("; ").map((part) => part.split("=")),
      );
      expect(type).toEqual({ "text/plain": undefined, version: "0.0.4", charset: "utf-8" });
      expect(await response.text()).toContain('\nservice_release_info{release="dev"} 1\n');
    }
    const starts = await Promise.all([service.url, metricsUrl].map(readMetrics));
    expect(new Set(starts.map((metrics) => metrics.get("process_start_time_seconds"))).size).toBe(1);
  });

  it("refuses other methods, and its own port has nothing else", async () => {
    const refused = await service.get("/metrics", { method: "POST" });
    expect([refused.status, refused.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
    for (const path of ["/", "/healthz", "/metrics/"]) expect((await fetch(metricsUrl + path)).status).toBe(404);
  });

  it("has the metrics of the process and of its runtime", async () => {
    const metrics = await readMetrics(metricsUrl);
    for (const name of [
      "process_cpu_seconds_total",
      "process_resident_memory_bytes",
      "nodejs_eventloop_lag_p99_seconds",
    ])
      expect([name, metrics.get(name)]).toEqual([name, expect.any(Number)]);
    expect(metrics.get("nodejs_heap_size_used_bytes")).toBeGreaterThan(1e6);
  });
});

describe("the metrics of requests", () => {
  it("count a visit once, and its command to Redis", async () => {
    expect(await grown(() => service.get("/"))).toMatchObject({
      [total("GET", "/", 200)]: 1,
      [count("http_request_duration_seconds", 'method="GET",route="/"')]: 1,
      [count("redis_command_duration_seconds", 'command="fcall"')]: 1,
      visits_counted_total: 1,
    });
  });

  it("time one call for a batch of visits", async () => {
    const changes = await grown(() => Promise.all(Array.from({ length: 50 }, () => service.get("/"))));
    expect(changes).toMatchObject({ visits_counted_total: 50, [total("GET", "/", 200)]: 50 });
    expect(changes[count("redis_command_duration_seconds", 'command="fcall"')]).toBeLessThan(50);
  });

  it("name the pattern of a route", async () => {
    const changes = await grown(async () => {
      const { body } = await send(`${service.url}/api/customers`, "POST", aCustomer());
      await send(`${service.url}/API/customers/${body.id}?x=1`);
      await send(`${service.url}/api/customers/${body.id}/vehicles`);
      await send(`${service.url}/api/customers/999999`);
      await send(`${service.url}/api/`);
      await send(`${service.url}/`, "DELETE");
      await send(`${service.url}/nope`);
      await send(`${service.url}/%E0%A4%A`);
    });
    expect(
      Object.keys(changes)
        .filter((name) => name.startsWith("http_requests_total"))
        .sort(),
    ).toEqual(
      [
        total("POST", "/api/customers", 201),
        total("GET", "/api/customers/:id", 200),
        total("GET", "/api/customers/:id/vehicles", 200),
        total("GET", "/api/customers/:id", 404),
        total("GET", "/api", 200),
        total("DELETE", "/", 405),
        total("GET", "none", 404),
        total("GET", "none", 400),
      ].sort(),
    );
  });

  it("have a bounded number of series, whatever paths and methods clients send", async () => {
    const methods = ["GET", "PROPFIND", "MKCOL", "PATCH", "PURGE", "TRACE"];
    const round = async (salt: string) => {
      for (const method of methods)
        for (const path of [`/${salt}`, `/api/${salt}`, `/api/customers/${salt}`, `/api/customers?q=${salt}`, "/"])
          await send(service.url + path, method);
      const names = [...(await readMetrics(metricsUrl)).keys()];
      return names.filter((name) => /^(http|redis|postgres)_/.test(name)).length;
    };
    // One of each kind first, so that every status that there is has been seen.
    for (const salt of ["a", "71", "%20", "%E0", "../x"]) await round(salt);
    const first = await round("z".repeat(200));
    for (const salt of ["b", "c1", "72", "%21", "%E1", "../y"]) await round(salt);
    expect(await round("y".repeat(200))).toBe(first);
  });

  it("have a request in flight, and a client that left as a 499", async () => {
    await redis.signal("SIGSTOP");
    const left = total("GET", "/", 499);
    const before = await of(left);
    try {
      const leaving = request(service.url);
      leaving.on("error", () => {});
      leaving.end();
      await until("the request", async () => (await of("http_requests_in_flight")) === 1);
      leaving.destroy();
      await until("its end", async () => (await of("http_requests_in_flight")) === 0);
    } finally {
      await redis.signal("SIGCONT");
    }
    expect(await of(left)).toBe(before + 1);
    await until("Redis", async () => (await service.get("/")).status === 200);
  });
});

describe("the metrics of Redis", () => {
  it("count its failures and attempts to connect, and the 503s", async () => {
    const changes = await grown(async () => {
      await redis.signal("SIGKILL");
      await until("a refusal", async () => (await service.get("/")).status === 503);
      await until("an attempt", async () => (await of('redis_errors_total{command="connect"}')) > 0);
    });
    await redis.start();
    await until("Redis", async () => (await service.get("/")).status === 200);
    expect(changes[total("GET", "/", 503)]).toBeGreaterThan(0);
    expect(changes).not.toHaveProperty("visits_counted_total");
  });
});

describe("the metrics of PostgreSQL", () => {
  const statements = (operation: string) => count("postgres_query_duration_seconds", `operation="${operation}"`);

  it("time statements by their first word, and count no failure for a violated constraint", async () => {
    const customer = await send(`${service.url}/api/customers`, "POST", aCustomer());
    const vehicle = { customer_id: 0, plate: "B 1 METRIK", make: "Toyota", model: "Avanza", year: 2020 };
    const changes = await grown(async () => {
      const key = { "Idempotency-Key": "metrics" };
      await send(`${service.url}/api/customers`, "POST", aCustomer(), key);
      const refused = await send(`${service.url}/api/vehicles`, "POST", { ...vehicle, customer_id: 999_999 });
      expect(refused.status).toBe(422);
      await send(`${service.url}/api/customers/${customer.body.id}`);
    });
    expect(changes).toMatchObject({
      [statements("begin")]: 1,
      [statements("commit")]: 1,
      [statements("select")]: expect.any(Number),
      [statements("insert")]: expect.any(Number),
    });
    expect(Object.keys(changes).filter((name) => name.startsWith("postgres_errors_total"))).toEqual([]);
  });

  it("show the used pool, waiting requests, refused requests, and timeouts", async () => {
    expect(await of("postgres_pool_size")).toBe(2);
    const before = await readMetrics(metricsUrl);
    await postgres.ask(async (admin) => {
      await admin.query("BEGIN; LOCK TABLE customers IN ACCESS EXCLUSIVE MODE");
      const asked = Array.from({ length: 5 }, () => send(`${service.url}/api/customers`));
      await until("both connections in use", async () => (await of('postgres_pool_connections{state="used"}')) === 2);
      await until("three to wait", async () => (await of("postgres_pool_waiting")) === 3);
      for (const { status } of await Promise.all(asked)) expect(status).toBe(503);
      await admin.query("ROLLBACK");
    });
    const more = async (sample: string) => (await of(sample)) - (before.get(sample) ?? 0);
    expect(await more('postgres_errors_total{kind="not_now"}')).toBeGreaterThan(0);
    expect(await more("postgres_pool_refused_total")).toBeGreaterThan(0);
    await until("the pool to be idle", async () => (await of('postgres_pool_connections{state="used"}')) === 0);
    expect(await of("postgres_pool_waiting")).toBe(0);
  });

  it("count failures during an outage", async () => {
    const changes = await grown(async () => {
      await postgres.signal("SIGKILL");
      expect((await send(`${service.url}/api/customers`)).status).toBe(503);
    });
    expect(changes['postgres_errors_total{kind="away"}']).toBeGreaterThan(0);
    await postgres.start();
  });
});

describe("the port for metrics", () => {
  let other: Service | undefined;
  afterEach(() => other?.kill());

  const isOpen = async (port: number) => {
    const socket = connect(port, "127.0.0.1");
    const open = await once(socket, "connect").then(
      () => true,
      () => false,
    );
    socket.destroy();
    return open;
  };

  it("is retried without a log line while it is in use, and delays neither readiness nor shutdown", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as { port: number };
    const env = { HALO_METRICS_PORT: String(port), LAME_DUCK_MS: "0" };
    other = await Service.startConnected(redis, env);
    taken.close();
    await until("the port", () => readMetrics(`http://127.0.0.1:${port}`), 3000);
    const second = await Service.startConnected(redis, env);
    second.signal("SIGTERM");
    expect(await second.exit).toBe(0);
    for (const each of [other, second]) expect(each.log().filter(({ level }) => Number(level) > 30)).toEqual([]);
  });

  it("is free as soon as its worker begins to stop", async () => {
    const port = await freePort();
    other = await Service.startConnected(redis, { HALO_METRICS_PORT: String(port), LAME_DUCK_MS: "60000" });
    expect(await isOpen(port)).toBe(true);
    other.signal("SIGTERM");
    await until("the port to be free", async () => !(await isOpen(port)));
    expect((await other.get("/healthz")).status).toBe(200);
  });

  it("is the first worker's port plus the worker's number", async () => {
    const port = await freePort();
    other = await Service.startConnected(redis, { HALO_METRICS_PORT: String(port - 1), NODE_APP_INSTANCE: "1" });
    expect((await readMetrics(`http://127.0.0.1:${port}`)).size).toBeGreaterThan(50);
  });
});
