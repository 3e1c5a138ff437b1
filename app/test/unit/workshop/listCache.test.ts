import { EventEmitter } from "node:events";
import { readFileSync } from "node:fs";
import type { Redis } from "ioredis";
import { Registry } from "prom-client";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ListMeter } from "../../../src/metrics/lists.ts";
import { RedisMeter } from "../../../src/metrics/redis.ts";
import { TOTAL_BUDGET_MS } from "../../../src/workshop/database.ts";
import {
  ListCache,
  MAX_LIST,
  MAX_LISTS,
  PAUSE_MS,
  READ_TIMEOUT_MS,
  RENEW_TIMEOUT_MS,
  TTL_MS,
  WRITE_BUDGET_MS,
} from "../../../src/workshop/listCache.ts";

/** The commands that the cache sends. `reads` and `writes` come before an answer: a test lets them wait or fail. */
class FakeRedis extends EventEmitter {
  status = "ready";
  readonly generations = new Map<string, string>();
  reads = async (): Promise<unknown> => undefined;
  writes = async (): Promise<unknown> => undefined;

  async hmget(_key: string, list: string): Promise<(string | null)[]> {
    const generation = this.generations.get(list) ?? null;
    await this.reads();
    return [generation];
  }

  async hset(_key: string, fields: Record<string, string>): Promise<number> {
    await this.writes();
    for (const [list, generation] of Object.entries(fields)) this.generations.set(list, generation);
    return 0;
  }
}

const never = () => new Promise(() => {});
const refused = async () => {
  throw new Error("OOM command not allowed");
};

let redis: FakeRedis;
let registry: Registry;
let first: ListCache;
let second: ListCache;
/** The present rows, and the statements that have read them. */
let rows: string;
let statements: number;

const worker = (enabled = true) => {
  registry = new Registry();
  const metrics = { redis: new RedisMeter(registry), lists: new ListMeter(registry) };
  return new ListCache(redis as unknown as Redis, metrics, enabled);
};
/** A sample of the worker that was made last. */
const sample = async (name: string) => {
  const lines = (await registry.metrics()).split("\n");
  return Number(lines.find((line) => line.startsWith(`${name} `))?.slice(name.length));
};
const read = (cache: ListCache, list = "customers", address = `/${list}?`) =>
  cache.read(list, address, async () => {
    statements += 1;
    return { body: rows, link: "<first>" };
  });
const write = (cache: ListCache, value: string, lists = ["customers"]) =>
  cache.write(lists, async () => {
    rows = value;
  });

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  redis = new FakeRedis();
  for (const list of ["customers", "services"]) redis.generations.set(list, "of an earlier write");
  second = worker();
  first = worker();
  rows = "1";
  statements = 0;
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a list", () => {
  it("comes from memory until a write through any worker, and then has the write", async () => {
    for (const cache of [first, second]) {
      expect(await read(cache)).toEqual({ body: "1", link: "<first>", result: "miss" });
      expect(await read(cache)).toEqual({ body: "1", link: "<first>", result: "hit" });
    }
    expect(statements).toBe(2);
    await write(second, "2");
    for (const cache of [first, second]) {
      expect(await read(cache)).toMatchObject({ body: "2", result: "miss" });
      expect(await read(cache)).toMatchObject({ body: "2", result: "hit" });
    }
    const results = ["hit", "absent", "changed", "expired", "away"];
    const counts = await Promise.all(results.map((result) => sample(`list_cache_reads_total{result="${result}"}`)));
    expect(counts).toEqual([2, 1, 1, 0, 0]);
  });

  it("that a write cannot change stays", async () => {
    await read(first, "customers");
    await read(first, "services");
    await write(second, "2", ["services", "lines"]);
    expect((await read(first, "customers")).result).toBe("hit");
    expect((await read(first, "services")).result).toBe("miss");
  });

  it("is another one at another address", async () => {
    await read(first, "customers", "/customers?q=a");
    expect((await read(first, "customers", "/customers?q=b")).result).toBe("miss");
  });

  it("expires", async () => {
    await read(first);
    await vi.advanceTimersByTimeAsync(TTL_MS - 1);
    expect((await read(first)).result).toBe("hit");
    await vi.advanceTimersByTimeAsync(1);
    expect((await read(first)).result).toBe("miss");
    expect(await sample('list_cache_reads_total{result="expired"}')).toBe(1);
  });

  it("whose statement failed is not stored", async () => {
    await expect(first.read("customers", "/customers?", refused)).rejects.toThrow("OOM");
    expect((await read(first)).result).toBe("miss");
  });

  it("from before a commit is not served after the write, however late its statement ends", async () => {
    const begun = Promise.withResolvers<void>();
    const held = Promise.withResolvers<void>();
    const late = first.read("customers", "/customers?", async () => {
      const body = rows;
      begun.resolve();
      await held.promise;
      return { body, link: "" };
    });
    await begun.promise;
    await write(second, "2");
    held.resolve();
    expect((await late).body).toBe("1");
    expect(await read(first)).toMatchObject({ body: "2", result: "miss" });
  });
});

describe("the memory", () => {
  it("has no list above the bound of one", async () => {
    rows = "x".repeat(MAX_LIST);
    await read(first);
    expect((await read(first)).result).toBe("miss");
  });

  it("gives up the oldest lists above the bound of all", async () => {
    rows = "x".repeat(MAX_LIST / 2);
    const most = (2 * MAX_LISTS) / MAX_LIST;
    for (let i = 0; i <= most; i++) await read(first, "customers", `/customers?${i}`);
    expect((await read(first, "customers", `/customers?${most}`)).result).toBe("hit");
    expect((await read(first, "customers", "/customers?0")).result).toBe("miss");
  });
});

it("the waits for Redis and for PostgreSQL end before nginx takes the backend for dead", async () => {
  const settings = readFileSync(new URL("../../../../ansible/roles/nginx/defaults/main.yml", import.meta.url), "utf8");
  const nginxWaits = Number(settings.match(/^nginx_read_timeout: (\d+)$/m)?.[1]);
  expect(READ_TIMEOUT_MS + TOTAL_BUDGET_MS).toBeLessThan(nginxWaits);
  expect(WRITE_BUDGET_MS).toBeLessThan(nginxWaits);
  redis.writes = never;
  const writing = first.write(["customers"], () => new Promise((resolve) => setTimeout(resolve, TOTAL_BUDGET_MS)));
  await vi.advanceTimersByTimeAsync(WRITE_BUDGET_MS);
  await writing;
  expect(TOTAL_BUDGET_MS + RENEW_TIMEOUT_MS).toBeGreaterThan(WRITE_BUDGET_MS);
});

describe("without Redis", () => {
  it("a list comes from PostgreSQL at once, and a write succeeds at once", async () => {
    redis.status = "reconnecting";
    expect(await read(first)).toMatchObject({ body: "1", result: "off" });
    await write(first, "2");
    expect(await read(first)).toMatchObject({ body: "2", result: "off" });
    expect(await sample('list_cache_reads_total{result="away"}')).toBe(2);
    expect(await sample("list_cache_unconfirmed_total")).toBe(1);
  });

  it("a list waits once for a Redis that does not answer, and the next ones do not wait", async () => {
    redis.reads = never;
    const waiting = read(first);
    await vi.advanceTimersByTimeAsync(READ_TIMEOUT_MS - 1);
    expect(statements).toBe(0);
    await vi.advanceTimersByTimeAsync(1);
    expect((await waiting).result).toBe("off");
    expect((await read(first)).result).toBe("off");
    redis.reads = async () => undefined;
    await vi.advanceTimersByTimeAsync(PAUSE_MS);
    expect((await read(first)).result).toBe("miss");
  });

  it("a write waits for a Redis that does not answer for a bounded time", async () => {
    redis.writes = never;
    let ended = false;
    const writing = write(first, "2").then(() => {
      ended = true;
    });
    await vi.advanceTimersByTimeAsync(RENEW_TIMEOUT_MS - 1);
    expect([rows, ended]).toEqual(["2", false]);
    await vi.advanceTimersByTimeAsync(1);
    await writing;
  });

  it("no list from before a lost connection is served after it, also none that was being read", async () => {
    await read(first);
    const begun = Promise.withResolvers<void>();
    const held = Promise.withResolvers<void>();
    const late = first.read("services", "/services?", async () => {
      begun.resolve();
      await held.promise;
      return { body: "1", link: "" };
    });
    await begun.promise;
    redis.emit("close");
    held.resolve();
    await late;
    for (const list of ["customers", "services"]) expect((await read(first, list)).result).toBe("miss");
  });
});

it("without a generation in Redis no list is from memory, also not the one from before Redis lost it", async () => {
  await read(first);
  redis.generations.clear();
  await write(second, "2");
  redis.generations.clear();
  for (let i = 0; i < 2; i++) expect(await read(first)).toMatchObject({ body: "2", result: "off" });
  redis.generations.set("customers", "of the next write");
  expect((await read(first)).result).toBe("miss");
});

describe("a write that Redis does not confirm", () => {
  beforeEach(async () => {
    for (const cache of [first, second]) await read(cache);
    redis.writes = refused;
    await write(first, "2");
  });

  it("is in the lists of its own worker at once, and in those of the others as soon as Redis confirms it", async () => {
    expect(await read(first)).toMatchObject({ body: "2", result: "off" });
    expect(await read(second)).toMatchObject({ body: "1", result: "hit" });
    redis.writes = async () => undefined;
    await vi.advanceTimersByTimeAsync(1000);
    for (const cache of [first, second]) {
      expect(await read(cache)).toMatchObject({ body: "2", result: "miss" });
      expect(await read(cache)).toMatchObject({ body: "2", result: "hit" });
    }
  });

  it("is in all lists when those from before it have expired, and its worker then uses its memory again", async () => {
    await vi.advanceTimersByTimeAsync(TTL_MS + 1000);
    for (const cache of [first, second]) {
      expect(await read(cache)).toMatchObject({ body: "2", result: "miss" });
      expect(await read(cache)).toMatchObject({ body: "2", result: "hit" });
    }
  });

  it("is tried again after each further one", async () => {
    const held = Promise.withResolvers<void>();
    redis.writes = () => held.promise;
    await vi.advanceTimersByTimeAsync(1000); // a repetition waits for its answer
    redis.writes = refused;
    await write(first, "3");
    held.resolve();
    await vi.advanceTimersByTimeAsync(0);
    expect(await read(first)).toMatchObject({ body: "3", result: "off" });
    const before = redis.generations.get("customers");
    redis.writes = async () => undefined;
    await vi.advanceTimersByTimeAsync(1000);
    expect(redis.generations.get("customers")).not.toBe(before);
    expect(await read(first)).toMatchObject({ body: "3", result: "miss" });
  });
});

it("a write that failed makes lists old as well: it may have committed, and its retry finds the work done", async () => {
  await read(second);
  const lost = first.write(["customers"], async () => {
    rows = "2";
    throw new Error("no answer in time");
  });
  await expect(lost).rejects.toThrow("no answer in time");
  expect(await read(second)).toMatchObject({ body: "2", result: "miss" });
});

it("a worker whose cache is off has no list in memory, and makes those of other workers old", async () => {
  const off = worker(false);
  await read(second);
  for (let i = 0; i < 2; i++) expect((await read(off)).result).toBe("off");
  await write(off, "2");
  expect(await read(second)).toMatchObject({ body: "2", result: "miss" });
});
