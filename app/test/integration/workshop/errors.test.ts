import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { PostgresServer } from "../../../../ops/loopback/postgres.ts";
import { until } from "../../../../ops/loopback/until.ts";
import { exchange } from "../support/exchange.ts";
import { createPostgres } from "../support/postgres.ts";
import { Service } from "../support/service.ts";
import { upload } from "../support/upload.ts";
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
beforeEach(() => postgres.empty());

const ask = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
  send(`${service.url}/api${path}`, method, body, headers);
const made = async (path: string, body: unknown) => {
  const reply = await ask("POST", path, body);
  expect([reply.status, reply.body]).toEqual([201, expect.anything()]);
  return reply.body;
};
/** A request whose body and headers are sent as they are. */
const raw = (body: BodyInit | undefined, headers: Record<string, string> = { "content-type": "application/json" }) =>
  service.get("/api/customers", { method: "POST", headers, ...(body !== undefined && { body }) });

describe("an invalid body", () => {
  it("gets a problem with a pointer to each invalid field", async () => {
    const { status, headers, body } = await ask("POST", "/customers", {
      phone: 812,
      email: "budi@",
      address: "x".repeat(501),
      vip: true,
    });
    expect([status, headers["content-type"]]).toEqual([422, "application/problem+json"]);
    expect(body).toMatchObject({ type: "about:blank", title: "Unprocessable Entity", status: 422 });
    expect(body.request_id).toBe(headers["x-request-id"]);
    const codes = Object.fromEntries(body.errors.map((e: Record<string, string>) => [e.pointer, e.code]));
    expect(codes).toEqual({
      "/name": "required",
      "/phone": "type",
      "/email": "format",
      "/address": "too_long",
      "/vip": "unknown_field",
    });
  });

  it.each([
    ["not JSON", "{", 400],
    ["not UTF-8", new Uint8Array([0x22, 0xff, 0x22]), 400],
    ["nothing", "", 400],
    ["more than 64 KiB", `{"name":"${"x".repeat(65_536)}"}`, 413],
    ["no object", "[]", 422],
  ])("that is %s", async (_what, body, status) => {
    const response = await raw(body);
    expect([response.status, response.headers.get("content-type")]).toEqual([status, "application/problem+json"]);
  });

  it.each(["POST /api/customers", "POST /api/intake", "PUT /api/customers/1", "PATCH /api/customers/1"])(
    "that is missing, and so is its length, gets a response: %s",
    async (request) => {
      const headers = ["Host: h", "Connection: close", "Content-Type: application/json", "If-Match: *"];
      const head = [`${request} HTTP/1.1`, ...headers, "", ""].join("\r\n");
      expect(await exchange(service.port, head)).toMatch(/^HTTP\/1.1 400 [\s\S]*The body is not valid JSON in UTF-8/);
    },
  );

  it("of more than 64 KiB is refused, also without Content-Length", async () => {
    const chunks = new ReadableStream({
      start(controller) {
        for (let i = 0; i < 20; i++) controller.enqueue(new TextEncoder().encode(" ".repeat(4096)));
        controller.close();
      },
    });
    const init = { method: "POST", headers: { "content-type": "application/json" }, body: chunks, duplex: "half" };
    expect((await service.get("/api/customers", init as RequestInit)).status).toBe(413);
  });

  it.each([
    { "content-type": "text/plain" },
    { "content-type": "application/json; charset=latin1" },
    { "content-type": "application/json", "content-encoding": "gzip" },
  ])("of another kind: %j", async (headers) => {
    expect((await raw("{}", headers as Record<string, string>)).status).toBe(415);
  });

  it.each([
    ["too large", "POST /api/customers HTTP/1.1\r\nContent-Type: application/json", 413],
    ["of another kind", "POST /api/customers HTTP/1.1\r\nContent-Type: text/plain", 415],
    ["without a version", "PATCH /api/customers/1 HTTP/1.1\r\nContent-Type: application/json", 428],
    ["for another method", "PUT /api/customers HTTP/1.1", 405],
  ])("that is %s gets a response while its client still sends", async (_what, head, status) => {
    expect(await upload(service.port, head)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });

  it("keeps the connection open if the body was read", async () => {
    expect((await raw("{}")).headers.get("connection")).not.toBe("close");
  });
});

it("the response to another method lists the allowed ones", async () => {
  for (const [path, allow] of [
    ["/customers", "GET, POST, HEAD, OPTIONS"],
    ["/customers/1", "GET, PUT, PATCH, DELETE, HEAD, OPTIONS"],
    ["/intake", "POST, OPTIONS"],
    ["/openapi.json", "GET, HEAD, OPTIONS"],
  ] as const) {
    const options = await ask("OPTIONS", path);
    const wrong = await ask(path === "/intake" ? "GET" : path === "/customers/1" ? "POST" : "DELETE", path);
    expect([path, options.status, options.headers.allow, wrong.status, wrong.headers.allow]).toEqual([
      path,
      204,
      allow,
      405,
      allow,
    ]);
  }
});

it.each(["/customers/0", "/customers/01", "/customers/1.5", "/customers/x", "/customers/99999999999999999999", "/x"])(
  "there is nothing at %s",
  async (path) => {
    expect((await ask("GET", path)).status).toBe(404);
  },
);

describe("conflicts", () => {
  it("the problem names a plate or a VIN of another vehicle, and an owner that does not exist", async () => {
    const { id } = await made("/customers", aCustomer());
    const vin = "MHKA1BB2C3D456789";
    await made("/vehicles", aVehicle(id, { plate: "B 1 A", vin }));
    const { id: other } = await made("/vehicles", aVehicle(id, { plate: "B 2 A" }));
    const taken = (pointer: string) => ({ status: 409, body: { errors: [{ pointer, code: "taken" }] } });
    expect(await ask("POST", "/vehicles", aVehicle(id, { plate: "b1a" }))).toMatchObject(taken("/plate"));
    expect(await ask("PATCH", `/vehicles/${other}`, { vin }, { "if-match": "*" })).toMatchObject(taken("/vin"));
    const missing = (pointer: string) => ({ status: 422, body: { errors: [{ pointer, code: "not_found" }] } });
    expect(await ask("POST", "/vehicles", aVehicle(99))).toMatchObject(missing("/customer_id"));
    expect(await ask("POST", "/services", aService(99))).toMatchObject(missing("/vehicle_id"));
    const moved = await ask("PATCH", `/vehicles/${other}`, { customer_id: 99 }, { "if-match": "*" });
    expect(moved).toMatchObject(missing("/customer_id"));
  });

  it("a refused deletion has the number of rows that refer to the row", async () => {
    const { id } = await made("/customers", aCustomer());
    const { id: vehicle } = await made("/vehicles", aVehicle(id, { plate: "B 1 A" }));
    await made("/vehicles", aVehicle(id, { plate: "B 2 A" }));
    await made("/services", aService(vehicle));
    const any = { "if-match": "*" };
    expect(await ask("DELETE", `/customers/${id}`, undefined, any)).toMatchObject({
      status: 409,
      body: { detail: "This customer still has 2 vehicles.", references: { vehicles: 2 } },
    });
    expect(await ask("DELETE", `/vehicles/${vehicle}`, undefined, any)).toMatchObject({
      status: 409,
      body: { detail: "This vehicle still has 1 service.", references: { services: 1 } },
    });
  });
});

describe("versions", () => {
  it("a change needs the version that it changes", async () => {
    const { id } = await made("/customers", aCustomer());
    const path = `/customers/${id}`;
    const patch = (tag: string) => ask("PATCH", path, { name: "Ayu" }, { "if-match": tag });
    for (const [method, body] of [["PUT", aCustomer()], ["PATCH", {}], ["DELETE"]] as const)
      expect((await ask(method, path, body)).status).toBe(428);
    expect(await patch('"7"')).toMatchObject({ status: 412, headers: { etag: '"1"' } });
    expect((await patch("1")).status).toBe(412);
    expect((await patch('"7", "1"')).body.version).toBe(2);
    expect((await patch('W/"2"')).body.version).toBe(3);
    expect((await patch("*")).body.version).toBe(4);
    expect(await ask("DELETE", path, undefined, { "if-match": '"3"' })).toMatchObject({ status: 412 });
    for (const method of ["PATCH", "DELETE"])
      expect(
        (await ask(method, "/customers/99", method === "PATCH" ? {} : undefined, { "if-match": "*" })).status,
      ).toBe(404);
  });

  it("a client that has the present version gets 304", async () => {
    const { id } = await made("/customers", aCustomer());
    const read = async (tag: string) =>
      (await ask("GET", `/customers/${id}`, undefined, { "if-none-match": tag })).status;
    expect([
      await read('"1"'),
      await read('W/"1"'),
      await read('"2", "1"'),
      await read("*"),
      await read('"2"'),
    ]).toEqual([304, 304, 304, 304, 200]);
  });

  it("a row with fields of other rows is sent again: its version does not change with them", async () => {
    const { id } = await made("/customers", aCustomer());
    const { id: car } = await made("/vehicles", aVehicle(id));
    const { id: job } = await made("/services", aService(car));
    await ask("PATCH", `/customers/${id}`, { phone: "0812-9999-9999" }, { "if-match": "*" });
    for (const path of [`/vehicles/${car}`, `/services/${job}`])
      expect(await ask("GET", path, undefined, { "if-none-match": '"1"' })).toMatchObject({
        status: 200,
        headers: { etag: '"1"' },
        body: { customer: { phone: "0812-9999-9999" } },
      });
  });
});

describe("Idempotency-Key", () => {
  const key = () => ({ "idempotency-key": randomUUID() });

  it("the same request gets the stored response, and another request is refused", async () => {
    const headers = key();
    const body = aCustomer();
    const first = await ask("POST", "/customers", body, headers);
    await ask("PATCH", `/customers/${first.body.id}`, { name: "Ayu" }, { "if-match": "*" });
    const second = await ask("POST", "/customers", { ...body, name: `  ${body.name}` }, headers);
    expect([second.status, second.body, second.headers.etag, second.headers.location]).toEqual([
      201,
      first.body,
      '"1"',
      first.headers.location,
    ]);
    expect([first.headers["idempotency-replayed"], second.headers["idempotency-replayed"]]).toEqual([
      undefined,
      "true",
    ]);
    expect((await ask("POST", "/customers", aCustomer({ name: "Citra" }), headers)).status).toBe(422);
    expect((await ask("POST", "/vehicles", aVehicle(first.body.id), headers)).status).toBe(422);
    expect((await ask("GET", "/customers")).body.items).toHaveLength(1);
  });

  it("a failure is not stored, and after a day the key is free again", async () => {
    const headers = key();
    expect((await ask("POST", "/vehicles", aVehicle(99), headers)).status).toBe(422);
    const body = aCustomer();
    const first = await ask("POST", "/customers", body, headers);
    expect(first.status).toBe(201);
    await postgres.rows("UPDATE idempotency_keys SET created_at = now() - interval '25 hours'");
    const later = await ask("POST", "/customers", body, headers);
    expect([later.status, later.body.id === first.body.id]).toEqual([201, false]);
    await postgres.rows("UPDATE idempotency_keys SET created_at = now() - interval '25 hours'");
    await ask("POST", "/customers", body, key());
    expect(await postgres.rows("SELECT count(*) FROM idempotency_keys")).toEqual([{ count: "1" }]);
  });

  it("makes an intake idempotent as well; a malformed key is refused", async () => {
    const headers = key();
    const { customer_id: _, ...vehicle } = aVehicle(1);
    const { vehicle_id: __, ...work } = aService(1);
    const body = { customer: aCustomer(), vehicle, service: work };
    const replies = await Promise.all(Array.from({ length: 10 }, () => ask("POST", "/intake", body, headers)));
    expect(new Set(replies.map(({ status, body }) => `${status} ${body.service?.id}`)).size).toBe(1);
    expect((await ask("GET", "/services")).body.items).toHaveLength(1);
    expect((await ask("POST", "/customers", aCustomer(), { "idempotency-key": "x".repeat(201) })).status).toBe(400);
  });
});

describe("the reference", () => {
  it("is a page without a script for a browser, and links for programs", async () => {
    const page = await service.get("/api/", { headers: { accept: "text/html,*/*;q=0.8" } });
    const html = await page.text();
    expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(page.headers.get("content-security-policy")).toMatch(/^default-src 'none'; style-src 'sha256-/);
    expect(html).toContain("<code>/api/customers/{id}/vehicles</code>");
    expect(html).not.toMatch(/<script|style=|https?:/);
    expect(await (await service.get("/api")).json()).toMatchObject({ openapi: "/api/openapi.json" });
  });
});

describe("PostgreSQL", () => {
  it.each([
    ["refuses every login", "ALTER ROLE halo NOLOGIN", "ALTER ROLE halo LOGIN"],
    ["has no free connection", "ALTER ROLE halo CONNECTION LIMIT 0", "ALTER ROLE halo CONNECTION LIMIT -1"],
    [
      "is read-only",
      "ALTER ROLE halo SET default_transaction_read_only = on",
      "ALTER ROLE halo RESET default_transaction_read_only",
    ],
  ])("%s: requests are refused within a second, and accepted again afterwards", async (_name, spoil, restore) => {
    const disconnect = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'halo'";
    await postgres.rows(spoil);
    try {
      await postgres.rows(disconnect);
      const refused = await until("a refusal", async () => {
        const reply = await ask("POST", "/customers", aCustomer());
        return reply.status === 503 ? reply : undefined;
      });
      expect(refused.headers["retry-after"]).toBe("1");
      expect(refused.ms).toBeLessThan(1000);
      if (spoil.includes("read_only")) expect((await ask("GET", "/customers")).status).toBe(200);
    } finally {
      await postgres.rows(restore);
      await postgres.rows(disconnect);
    }
    await until("writes", async () => (await ask("POST", "/customers", aCustomer())).status === 201);
  });
});

describe("the process", () => {
  let refused: Service;
  beforeAll(async () => {
    refused = await Service.startWorkshop(postgres, { HALO_NAME: "refused" });
  });
  afterAll(() => refused?.kill());

  it("has no workshop without PGHOST", async () => {
    const bare = await Service.launch();
    await until("the service to listen", () => bare.ready);
    try {
      expect((await bare.get("/api/customers")).status).toBe(404);
    } finally {
      await bare.kill();
    }
  });

  it.each([
    ["28P01", "ALTER ROLE halo PASSWORD 'another'", "ALTER ROLE halo PASSWORD 'integration-secret'"],
    ["28000", "ALTER ROLE halo NOLOGIN", "ALTER ROLE halo LOGIN"],
    ["53300", "ALTER ROLE halo CONNECTION LIMIT 0", "ALTER ROLE halo CONNECTION LIMIT -1"],
    ["42501", "REVOKE INSERT ON customers FROM halo", "GRANT INSERT ON customers TO halo"],
    ["42P01", "REVOKE USAGE ON SCHEMA workshop FROM halo", "GRANT USAGE ON SCHEMA workshop TO halo"],
    [
      "25006",
      "ALTER ROLE halo SET default_transaction_read_only = on",
      "ALTER ROLE halo RESET default_transaction_read_only",
    ],
  ])(
    "is not ready where PostgreSQL refuses the service (%s: %s), and is so again after it",
    async (state, harm, undo) => {
      const reason = async () => String(((await (await refused.get("/readyz")).json()) as { reason?: string }).reason);
      // A setting or a password counts for the next login.
      const apply = (statement: string) =>
        postgres.rows(
          `${statement}; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'refused'`,
        );
      try {
        expect(await reason()).not.toContain("postgres");
        await apply(harm);
        await until("the reason", async () => (await reason()).includes("postgres: "));
        expect(await reason()).toMatch(new RegExp(`postgres: .*\\(${state}\\)`));
      } finally {
        await apply(undo);
      }
      await until("readiness", async () => !(await reason()).includes("postgres"), 5000);
    },
  );

  it("is not ready without its tables, and stops in order with connections open", async () => {
    const other = await Service.startWorkshop(postgres, { HALO_NAME: "leaving" });
    await send(`${other.url}/api/customers`);
    await postgres.rows("ALTER TABLE customers RENAME TO away");
    expect(await (await other.get("/readyz")).json()).toMatchObject({ reason: expect.stringContaining("postgres: ") });
    await postgres.rows("ALTER TABLE away RENAME TO customers");
    other.signal("SIGTERM");
    expect(await other.exit).toBe(0);
    const connections = "SELECT FROM pg_stat_activity WHERE application_name = 'leaving'";
    await until("its connections to be gone", async () => (await postgres.rows(connections)).length === 0);
  });
});
