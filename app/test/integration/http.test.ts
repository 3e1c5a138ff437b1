import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RedisServer } from "../../../ops/loopback/redis.ts";
import { until } from "../../../ops/loopback/until.ts";
import { exchange } from "./support/exchange.ts";
import { Service } from "./support/service.ts";
import { upload } from "./support/upload.ts";

let redis: RedisServer;
let service: Service;

beforeAll(async () => {
  redis = await RedisServer.prepare();
  await redis.start();
  service = await Service.startConnected(redis);
});

afterAll(async () => {
  await service?.kill();
  await redis?.destroy();
});

describe("GET /", () => {
  it("responds with the five fields of the contract, in their order", async () => {
    const before = await redis.total();
    const response = await service.get("/");
    expect(response.status).toBe(200);
    expect(await response.text()).toBe(
      `{"container_id":"web1","message":"Halo dari Backend API!","database_status":"Terhubung",` +
        `"info":"Refresh halaman ini untuk melihat container_id berubah (Load Balancing)","total_visits":${before + 1}}`,
    );
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "application/json; charset=utf-8",
      "cache-control": "no-store",
      vary: "Accept",
      "x-served-by": "web1",
      "x-request-id": expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    expect(response.headers.has("x-powered-by")).toBe(false);
  });

  it("is a page for a browser, with a strict policy and nothing inline", async () => {
    const accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    const before = await redis.total();
    const response = await service.get("/", { headers: { accept } });
    const html = await response.text();
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(html).toContain(`data-container="web1" data-total="${before + 1}"`);
    expect(html).not.toMatch(/<style|style=|<script>|onclick|https?:/);
    expect(await redis.total()).toBe(before + 1);
  });

  it.each(["*/*", "application/json", "application/json, text/html;q=0.5", "image/png"])(
    "is JSON for Accept: %s",
    async (accept) => {
      expect((await service.get("/", { headers: { accept } })).headers.get("content-type")).toContain(
        "application/json",
      );
    },
  );

  it("HEAD counts nothing", async () => {
    const before = await redis.total();
    const response = await service.get("/", { method: "HEAD" });
    expect([response.status, await response.text(), await redis.total()]).toEqual([200, "", before]);
  });

  it("counts a request once, also after retries", async () => {
    const other = await Service.startConnected(redis, { HALO_NAME: "web2" });
    try {
      const before = await redis.total();
      const headers = { "x-request-id": "0123456789abcdef0123456789abcdef" };
      const tries = await Promise.all([service, other, service].map((s) => s.get("/", { headers })));
      for (const response of tries) {
        expect(response.headers.get("x-request-id")).toBe(headers["x-request-id"]);
        expect(await response.json()).toMatchObject({ total_visits: before + 1 });
      }
      expect(await redis.total()).toBe(before + 1);
    } finally {
      await other.kill();
    }
  });

  it.each(["", "short", "0123456789ABCDEF0123456789ABCDEF", "0123456789abcdef0123456789abcdeg"])(
    "makes an id of its own where the given one is %j",
    async (id) => {
      const before = await redis.total();
      for (let i = 0; i < 2; i++) {
        const response = await service.get("/", { headers: { "x-request-id": id } });
        expect(response.headers.get("x-request-id")).not.toBe(id);
      }
      expect(await redis.total()).toBe(before + 2);
    },
  );

  it("ignores the id and the client address from a peer that is no trusted proxy", async () => {
    const wary = await Service.startConnected(redis, { TRUSTED_PROXIES: "192.0.2.1" });
    try {
      const before = await redis.total();
      const headers = { "x-request-id": "fedcba9876543210fedcba9876543210", "x-forwarded-for": "198.51.100.7" };
      for (let i = 0; i < 2; i++) await wary.get("/", { headers });
      expect(await redis.total()).toBe(before + 2);
      await until("two log lines", () => wary.log().filter((line) => line.path === "/").length === 2);
      expect(wary.log().find((line) => line.path === "/")).toMatchObject({ client: "127.0.0.1" });
    } finally {
      await wary.kill();
    }
  });
});

describe("the request log", () => {
  it("has a line with the id, the client behind the proxy and no secret", async () => {
    const headers = { "x-forwarded-for": "203.0.113.9, 198.51.100.7", authorization: "Bearer hush", cookie: "a=hush" };
    const response = await service.get("/?token=hush", { headers });
    const id = response.headers.get("x-request-id");
    const line = await until("the line", () => service.log().find((entry) => entry.id === id));
    expect(line).toMatchObject({
      method: "GET",
      path: "/",
      status: 200,
      ms: expect.any(Number),
      client: "198.51.100.7",
    });
    expect(service.output).not.toMatch(/hush|integration-secret/);
  });
});

describe("the backend's own routes", () => {
  it.each([
    ["/healthz", { status: "ok" }],
    ["/readyz", { status: "ready" }],
    ["/version", { release: "dev" }],
  ])("%s", async (path, body) => {
    const response = await service.get(path);
    expect(response.status).toBe(200);
    expect(response.headers.get("x-served-by")).toBe("web1");
    expect(await response.json()).toEqual(body);
  });
});

describe("GET /visits", () => {
  it("reports the last visit that this process counted, and counts none", async () => {
    const fresh = await Service.startConnected(redis);
    const state = async () => (await fresh.get("/visits")).json();
    try {
      expect(await state()).toEqual({ last_visit: null, database_status: "Terhubung" });
      await service.get("/");
      await fresh.get("/");
      const total = await redis.total();
      expect(await state()).toEqual({ last_visit: total, database_status: "Terhubung" });
      expect(await redis.total()).toBe(total);
      const last = (await fresh.get("/version")).headers.get("x-request-id");
      await until("the line of a later request", () => fresh.log().some(({ id }) => id === last));
      expect(fresh.log().filter(({ path }) => path === "/visits")).toEqual([]);
    } finally {
      await fresh.kill();
    }
  });
});

describe("an invalid request", () => {
  it.each<[string, string, RequestInit, number]>([
    ["unknown path", "/nope", {}, 404],
    ["wrong method", "/", { method: "DELETE" }, 405],
    ["wrong method with a body", "/", { method: "POST", body: "x".repeat(1_000_000) }, 405],
    ["wrong method on a sub-route", "/version", { method: "PUT" }, 405],
    ["wrong method for the state", "/visits", { method: "POST" }, 405],
    ["malformed percent-encoding", "/%E0%A4%A", {}, 400],
  ])("%s", async (_name, path, init, status) => {
    const response = await service.get(path, init);
    const body = await response.text();
    expect(response.status).toBe(status);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(response.headers.get("x-request-id")).toBe(JSON.parse(body).request_id);
    expect(JSON.parse(body)).toMatchObject({ type: "about:blank", status });
    expect(body).not.toMatch(/node_modules|at \w+ \(/);
    if (status === 405) expect(response.headers.get("allow")).toBe("GET, HEAD");
  });

  it.each<[string, string, number]>([
    ["unknown path", "/nope", 404],
    ["malformed percent-encoding", "/%E0%A4%A", 400],
    ["wrong method", "/version", 405],
  ])("%s is a page with a way back for a browser", async (_name, path, status) => {
    const accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    const response = await service.get(path, { headers: { accept }, ...(status === 405 && { method: "PUT" }) });
    const page = await response.text();
    expect([response.status, response.headers.get("content-type")]).toEqual([status, "text/html; charset=utf-8"]);
    expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(page).toContain('<a href="/">');
    expect(page).toContain(String(response.headers.get("x-request-id")));
    expect(page).not.toMatch(/node_modules|at \w+ \(/);
    if (status === 405) expect(response.headers.get("allow")).toBe("GET, HEAD");
  });

  it.each([
    ["id-ID,id;q=0.9,en;q=0.8", "id"],
    ["en-GB,en;q=0.9,id;q=0.5", "en"],
    ["de", "en"],
    [undefined, "en"],
  ])("a browser that prefers %s gets the page in %s", async (language, expected) => {
    const headers = { accept: "text/html", ...(language && { "accept-language": language }) };
    expect(await (await service.get("/nope", { headers })).text()).toContain(`<html lang="${expected}">`);
  });

  it.each([
    ["a body", "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi", 415],
    ["a chunked body", "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", 415],
    ["a huge body", "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\nhi", 413],
    ["an unknown method", "BREW / HTTP/1.1\r\nHost: h\r\n\r\n", 400],
    ["a path that Express cannot read", "GET x://h?a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 404],
    ["a NUL in a header", "GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n", 400],
    ["no Host", "GET / HTTP/1.1\r\nConnection: close\r\n\r\n", 400],
    ["a request line of 64 KiB", `GET /${"x".repeat(65_536)} HTTP/1.1\r\nHost: h\r\n\r\n`, 431],
  ])("%s is refused, and the next request gets its response", async (_name, bytes, status) => {
    expect(await exchange(service.port, bytes)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect((await service.get("/healthz")).status).toBe(200);
  });
});

describe("a response before the end of the body reaches a client that still sends", () => {
  it.each([
    ["a method that is not possible", "POST / HTTP/1.1", 405],
    ["a visit with a body", "GET / HTTP/1.1", 413],
    ["a path that is not there", "POST /nope HTTP/1.1", 404],
    ["a path that is malformed", "POST /%ff HTTP/1.1", 400],
    ["a header that is malformed", "POST / HTTP/1.1\r\nX: a\u0001b", 400],
    ["headers that are too large", `POST / HTTP/1.1\r\nX: ${"a".repeat(40_000)}`, 431],
  ])("%s", async (_what, head, status) => {
    expect(await upload(service.port, head)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });

  it("headers of nginx's largest size get a response", async () => {
    const padding = "a".repeat(15 * 1024);
    expect((await service.get("/healthz", { headers: { "x-padding": padding } })).status).toBe(200);
  });

  it("also while the service stops", async () => {
    const leaving = await Service.startConnected(redis, { LAME_DUCK_MS: "1500" });
    leaving.signal("SIGTERM");
    await until("the lame duck", () => leaving.log().some((line) => line.msg === "stopping"));
    expect(await upload(leaving.port, "GET /healthz HTTP/1.1")).toMatch(/^HTTP\/1.1 200 /);
    expect(await leaving.exit).toBe(0);
  });
});
