import { Redis } from "ioredis";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RedisServer, SERVICE_LOGIN } from "../../../ops/loopback/redis.ts";
import { until } from "../../../ops/loopback/until.ts";
import { COUNT_LIBRARY } from "../../src/visits/function.ts";
import { type Results, startLoad } from "./support/load.ts";
import { Service } from "./support/service.ts";

let redis: RedisServer;
let service: Service;
/** Visits that a test asked for besides its load. */
let asked = 0;

beforeEach(async () => {
  asked = 0;
  redis = await RedisServer.prepare();
});

afterEach(async () => {
  await service?.kill();
  await redis.signal("SIGCONT");
  await redis.destroy();
});

const timed = () => {
  asked += 1;
  return service.visit();
};

async function expectBackWithin2s(): Promise<void> {
  await until("a counted visit", async () => (await timed()).status === 200, 2000);
}

/** The promise: acknowledged <= counted <= requests, no number twice or lost, every answer within a second. */
async function expectHonest({ answers, requests, failed }: Results): Promise<void> {
  const counted = await redis.total();
  const numbers = answers.filter((a) => a.status === 200).map((a) => a.total as number);
  expect(failed).toEqual([]);
  expect(new Set(numbers).size).toBe(numbers.length);
  expect(numbers.length).toBeLessThanOrEqual(counted);
  expect(Math.max(...numbers)).toBeLessThanOrEqual(counted);
  expect(counted).toBeLessThanOrEqual(requests + asked);
  expect(Math.max(...answers.map((a) => a.ms))).toBeLessThan(1000);
}

describe("Redis is unavailable at the start", () => {
  it("listens at once, refuses as in the contract, and counts as soon as Redis is available", async () => {
    service = await Service.start(redis);
    const { status, ms, response, body } = await timed();
    expect(status).toBe(503);
    expect(ms).toBeLessThan(1000);
    expect(response.headers.get("retry-after")).toBe("1");
    expect(response.headers.get("x-served-by")).toBe("web1");
    expect(body).toEqual({
      container_id: "web1",
      message: "Halo dari Backend API!",
      database_status: "Terputus",
      info: "Refresh halaman ini untuk melihat container_id berubah (Load Balancing)",
      total_visits: null,
    });
    const page = await service.get("/", { headers: { accept: "text/html" } });
    expect([page.status, await page.text()]).toEqual([503, expect.stringContaining("Terputus")]);
    expect((await service.get("/", { method: "HEAD" })).status).toBe(503);
    const ready = await service.get("/readyz");
    expect([ready.status, await ready.json()]).toEqual([
      503,
      { status: "unready", reason: expect.stringContaining("redis"), missing: ["redis"] },
    ]);
    expect((await service.get("/healthz")).status).toBe(200);
    expect(await (await service.get("/visits")).json()).toEqual({ last_visit: null, database_status: "Terputus" });

    await redis.start();
    await expectBackWithin2s();
  });
});

describe("Redis becomes unavailable", () => {
  beforeEach(async () => {
    await redis.start();
    service = await Service.startConnected(redis);
  });

  it("killed and restarted under load: a short wait, no refusal, no visit lost or counted twice", async () => {
    const stop = startLoad([service.port]);
    for (let i = 0; i < 3; i++) {
      const before = await redis.total();
      await until("some visits", async () => (await redis.total()) > before + 100);
      await redis.signal("SIGKILL");
      await redis.start();
      await expectBackWithin2s();
    }
    const seen = await stop();
    await expectHonest(seen);
    expect(seen.answers.filter((a) => a.status !== 200)).toEqual([]);
  });

  it("a long stop: the first wait is bounded, then the refusal is immediate; recovery is automatic", async () => {
    expect((await timed()).status).toBe(200);
    const before = await redis.total();
    await redis.signal("SIGTERM");
    const first = await timed();
    expect([first.status, first.ms < 1000]).toEqual([503, true]);
    const next = await timed();
    expect([next.status, next.ms < 200]).toEqual([503, true]);
    await redis.start();
    await expectBackWithin2s();
    expect((await timed()).body.total_visits).toBe(before + 2);
  });

  it("lost while idle: the refusal is immediate although no request has noticed the outage", async () => {
    await redis.signal("SIGKILL");
    await until("the breaker", () => service.log().some((line) => String(line.msg).includes("unavailable")), 2000);
    const { status, ms } = await timed();
    expect([status, ms < 200]).toEqual([503, true]);
  });

  it("hung: the refusal is bounded, then immediate; recovery is automatic", async () => {
    const stop = startLoad([service.port], { clients: 4 });
    await until("some visits", async () => (await redis.total()) > 50);
    await redis.signal("SIGSTOP");
    await until("the breaker", () => service.log().some((line) => String(line.msg).includes("unavailable")), 2000);
    const { status, ms } = await timed();
    expect([status, ms < 200]).toEqual([503, true]);
    await redis.signal("SIGCONT");
    await expectBackWithin2s();
    await expectHonest(await stop());
  });

  it("hung and idle: /readyz reports it within a second", async () => {
    await redis.signal("SIGSTOP");
    const started = performance.now();
    const response = await service.get("/readyz");
    expect([response.status, performance.now() - started < 1000]).toEqual([503, true]);
    await redis.signal("SIGCONT");
    await until("readiness", async () => (await service.get("/readyz")).status === 200, 2000);
  });

  it("refuses to count (a value of the wrong type): a clean 503 that does not show the reason", async () => {
    await redis.ask((admin) => admin.hset("total_visits", "a", "b"));
    const { status, body } = await timed();
    expect(status).toBe(503);
    expect(JSON.stringify(body)).not.toContain("WRONGTYPE");
    await redis.ask((admin) => admin.del("total_visits"));
    expect((await timed()).body.total_visits).toBe(1);
  });
});

describe("Redis answers, and refuses to count", () => {
  const refusals: [string, (admin: Redis) => Promise<unknown>, (admin: Redis) => Promise<unknown>, RegExp][] = [
    [
      "a replica",
      (admin) => admin.replicaof("127.0.0.1", 1),
      (admin) => admin.replicaof("NO", "ONE"),
      /replica.*READONLY/,
    ],
    [
      "no memory",
      (admin) => admin.config("SET", "maxmemory", 1),
      (admin) => admin.config("SET", "maxmemory", 0),
      /memory is full.*OOM/,
    ],
    [
      "no function",
      (admin) => admin.call("FUNCTION", "FLUSH"),
      (admin) => admin.call("FUNCTION", "LOAD", COUNT_LIBRARY),
      /lacks the function count_[0-9a-f]{12}/,
    ],
    [
      "no right",
      (admin) => admin.acl("SETUSER", SERVICE_LOGIN.REDIS_USERNAME, "-fcall"),
      (admin) => admin.acl("SETUSER", SERVICE_LOGIN.REDIS_USERNAME, "+fcall"),
      /no permission to count.*NOPERM/,
    ],
    [
      "no number",
      (admin) => admin.multi().rename("total_visits", "aside").hset("total_visits", "a", "b").exec(),
      (admin) => admin.rename("aside", "total_visits"),
      /WRONGTYPE/,
    ],
  ];

  it("is unready with the reason, the check counts no visit, and readiness returns by itself", async () => {
    await redis.start();
    service = await Service.startConnected(redis);
    expect((await timed()).status).toBe(200);
    for (const [what, make, undo, reason] of refusals) {
      await redis.ask(make);
      const ready = await service.get("/readyz");
      expect([what, ready.status, await ready.json()]).toEqual([
        what,
        503,
        { status: "unready", reason: expect.stringMatching(reason), missing: ["redis"] },
      ]);
      expect([what, (await timed()).status]).toEqual([what, 503]);
      await redis.ask(undo);
      expect([what, (await service.get("/readyz")).status]).toEqual([what, 200]);
    }
    expect(await redis.total()).toBe(1);
    expect((await timed()).body.total_visits).toBe(2);
  });

  it("allows the service's user only the function", async () => {
    await redis.start();
    const denied = [
      ["EVAL", "while true do end", 0],
      ["EVALSHA", "0".repeat(40), 0],
      ["FUNCTION", "FLUSH"],
      ["SCRIPT", "LOAD", "return 1"],
      ["CONFIG", "GET", "*"],
    ] as const;
    await redis.ask(async (admin) => {
      for (const [command, ...args] of denied)
        expect(await admin.call("ACL", "DRYRUN", SERVICE_LOGIN.REDIS_USERNAME, command, ...args)).toMatch(
          /no permissions/,
        );
      // Also inside the function it may only do its own work.
      const library =
        "#!lua name=other\nredis.register_function('other', function() return redis.call('FLUSHALL') end)";
      await admin.call("FUNCTION", "LOAD", library);
    });
    const halo = new Redis({
      port: redis.port,
      username: SERVICE_LOGIN.REDIS_USERNAME,
      password: SERVICE_LOGIN.REDIS_PASSWORD,
      disableClientInfo: true,
    });
    await expect(halo.fcall("other", 0)).rejects.toThrow(/can.t run this command/);
    halo.disconnect();
  });

  it("has the function after kill -9: it is in the append-only file, also after a rewrite", async () => {
    await redis.start();
    service = await Service.startConnected(redis);
    for (const rewrite of [false, true]) {
      if (rewrite) {
        await redis.ask((admin) => admin.bgrewriteaof());
        await until("the rewrite", async () => {
          const info = await redis.ask((admin) => admin.info("persistence"));
          return /aof_rewrite_in_progress:0/.test(info) && /aof_rewrite_scheduled:0/.test(info);
        });
      }
      await redis.signal("SIGKILL");
      await redis.start({}, { load: false });
      await expectBackWithin2s();
    }
  });
});

describe("a backend is killed under load", () => {
  it("counts each request exactly once if nginx retries with the same id", async () => {
    await redis.start();
    service = await Service.startConnected(redis);
    const victim = await Service.startConnected(redis, { HALO_NAME: "web2" });
    const stop = startLoad([service.port, victim.port], { retry: true, clients: 16, gapMs: 0 });
    await until("some visits", async () => (await redis.total()) > 500);
    await victim.kill();
    const then = await redis.total();
    await until("more visits", async () => (await redis.total()) > then + 500);
    const { answers, failed, requests } = await stop();
    expect(failed).toEqual([]);
    expect(answers.every((a) => a.status === 200)).toBe(true);
    expect(await redis.total()).toBe(requests);
  });
});
