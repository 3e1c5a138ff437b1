import { request } from "node:http";
import fc, { type Arbitrary } from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import type { PostgresServer } from "../../../../ops/loopback/postgres.ts";
import { createPostgres } from "../support/postgres.ts";
import { Service } from "../support/service.ts";
import { aCustomer, aLine, aService, aVehicle, send } from "../support/workshop.ts";

/** Another seed gives other requests; a failure prints its seed. */
const SEED = Number(process.env.FUZZ_SEED ?? 4);
const REQUESTS = Number(process.env.FUZZ_REQUESTS ?? 1500);

type Json = Record<string, unknown>;
interface Parameter {
  name: string;
  in: "path" | "query" | "header";
  schema: Json;
  required?: boolean;
}
interface Operation {
  method: string;
  path: string;
  parameters: Parameter[];
  body: Json | undefined;
  responses: Record<string, { content?: Record<string, { schema: Json }> }>;
}
interface FuzzRequest {
  operation: Operation;
  path: string;
  headers: Record<string, string>;
  body: Buffer | undefined;
}

let postgres: PostgresServer;
let service: Service;
// biome-ignore lint/suspicious/noExplicitAny: the document has any shape
let document: any;
let operations: Operation[];

beforeAll(async () => {
  postgres = await createPostgres();
  service = await Service.startWorkshop(postgres);
  document = (await send(`${service.url}/api/openapi.json`)).body;
  operations = readOperations();
  // Rows 1 to 20, which numbers in the requests often hit.
  for (let i = 1; i <= 20; i++) {
    await send(`${service.url}/api/customers`, "POST", aCustomer());
    await send(`${service.url}/api/vehicles`, "POST", aVehicle(i));
    await send(`${service.url}/api/services`, "POST", aService(i));
    await send(`${service.url}/api/lines`, "POST", aLine(i));
  }
});
afterAll(async () => {
  await service?.kill();
  await postgres?.destroy();
});

/** Follows a reference within the document. */
function resolve<T>(value: T): T {
  const target = (value as { $ref?: string })?.$ref;
  if (!target) return value;
  const steps = target.slice(2).split("/");
  return resolve(steps.reduce((at, step) => at[step.replaceAll("~1", "/").replaceAll("~0", "~")], document));
}

function readOperations(): Operation[] {
  const base = new URL(document.servers?.[0]?.url ?? "/", "http://a.test").pathname.replace(/\/$/, "");
  const found: Operation[] = [];
  for (const [path, item] of Object.entries<Json>(document.paths))
    for (const method of ["get", "post", "put", "patch", "delete"]) {
      // biome-ignore lint/suspicious/noExplicitAny: the document has any shape
      const operation = item[method] as any;
      if (!operation) continue;
      const parameters = [...((item.parameters as Parameter[]) ?? []), ...(operation.parameters ?? [])];
      const content = resolve(operation.requestBody)?.content ?? {};
      found.push({
        method: method.toUpperCase(),
        path: base + path,
        parameters: parameters.map(resolve),
        body: content["application/json"]?.schema,
        responses: Object.fromEntries(
          Object.entries(operation.responses).map(([status, response]) => [status, resolve(response as Json)]),
        ),
      });
    }
  return found;
}

/** A validator of one schema of the document. */
const validators = new Map<Json, z.ZodType>();
function validator(schema: Json): z.ZodType {
  const known = validators.get(schema);
  if (known) return known;
  const whole = { ...schema, $defs: document.components?.schemas ?? {} };
  const made = z.fromJSONSchema(JSON.parse(JSON.stringify(whole).replaceAll("#/components/schemas/", "#/$defs/")));
  validators.set(schema, made);
  return made;
}

const evilText = fc.oneof(
  fc.constantFrom(
    "",
    " ",
    "\0",
    "a\0b",
    "\ud800",
    "x\udfff",
    "\u202etxet",
    "\ufeffB 1",
    "e\u0301".repeat(100),
    "👩‍👩‍👧‍👦".repeat(60),
    "\u0000\u0001\u001f\u007f\u0085\u2028",
    "İıſß",
    "'; DROP TABLE customers; --",
    "' OR '1'='1",
    "$1",
    "%_\\",
    "\\",
    "{}",
    "[object Object]",
    "__proto__",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "NaN",
    "null",
    "1e400",
    "0x10",
    "-0",
    "9223372036854775807",
    "9223372036854775808",
    "99999999999999999999999999",
    "2026-13-45T99:99:99Z",
    "+275760-09-13T00:00:00.001Z",
    "0000-01-01T00:00:00.000Z",
    "infinity",
    "a".repeat(5000),
  ),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.string({ unit: "grapheme", maxLength: 300 }),
);
const evil: Arbitrary<unknown> = fc.oneof(
  { weight: 4, arbitrary: evilText },
  {
    weight: 3,
    arbitrary: fc.constantFrom<unknown>(
      null,
      true,
      0,
      -0,
      -1,
      0.5,
      2 ** 31,
      2 ** 53,
      2 ** 63,
      1e21,
      Number.MAX_VALUE,
      Number.MIN_VALUE,
      [],
      {},
      [[]],
      { toString: "x" },
    ),
  },
  { weight: 2, arbitrary: fc.jsonValue({ maxDepth: 4 }) },
);

/** Values that a schema allows, for the most part: where a pattern and a length contradict, some that it does not. */
function valid(given: Json): Arbitrary<unknown> {
  // biome-ignore lint/suspicious/noExplicitAny: the document has any shape
  const schema = resolve(given) as any;
  if ("const" in schema) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  const options = schema.anyOf ?? schema.oneOf;
  if (options) return fc.oneof(...options.map(valid));
  if (schema.allOf)
    return fc.tuple(...schema.allOf.map(valid)).map((parts) => Object.assign({}, ...(parts as object[])));
  const types = [schema.type].flat();
  if (types.length > 1) return fc.oneof(...types.map((type) => valid({ ...schema, type })));
  switch (types[0]) {
    case "null":
      return fc.constant(null);
    case "boolean":
      return fc.boolean();
    case "integer":
    case "number": {
      const min = Math.max(schema.minimum ?? (schema.exclusiveMinimum + 1 || 0), Number.MIN_SAFE_INTEGER);
      const max = Math.min(schema.maximum ?? Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
      const near = fc.integer({ min, max: Math.min(max, min + 24) });
      return fc.oneof({ weight: 9, arbitrary: near }, { weight: 1, arbitrary: fc.integer({ min, max }) });
    }
    case "array":
      return fc.array(valid(schema.items ?? {}), { minLength: schema.minItems ?? 0, maxLength: schema.maxItems ?? 4 });
    case "object": {
      const required: string[] = schema.required ?? [];
      const model = Object.fromEntries(
        Object.entries<Json>(schema.properties ?? {}).map(([name, each]) => [name, valid(each)]),
      );
      return fc.record(model, { requiredKeys: required });
    }
    case "string":
      return text(schema);
    default:
      return evil;
  }
}

// biome-ignore lint/suspicious/noExplicitAny: the document has any shape
function text({ format, pattern, minLength = 0, maxLength = 60 }: any): Arbitrary<string> {
  const plain = fc.string({ unit: "grapheme", minLength, maxLength: Math.min(maxLength, minLength + 60) });
  const somePlate = fc.integer({ min: 1, max: 99_999 }).map((n) => `B ${n} FZ`);
  if (format === "date-time")
    return fc
      .date({ min: new Date("2000-01-01"), max: new Date("2099-01-01"), noInvalidDate: true })
      .map((date) => date.toISOString());
  if (format === "email") return fc.integer({ min: 1, max: 999 }).map((n) => `budi${n}@example.com`);
  if (pattern) {
    try {
      return often(fc.stringMatching(new RegExp(pattern, "u"), { maxLength }), somePlate, 4);
    } catch {} // lookaround and the like
  }
  return fc.oneof(plain, somePlate, fc.constantFrom("0812-0000-0001", "MHFXX11BX00000001", "Tune up"));
}

/** One of the allowed objects with one of its fields, or one more, made evil. */
const corrupted = (schema: Json): Arbitrary<unknown> =>
  fc.tuple(valid(schema), evil, fc.nat(), evilText).map(([value, bad, which, name]) => {
    if (value === null || typeof value !== "object" || Array.isArray(value)) return bad;
    const keys = Object.keys(value);
    const at = which % (keys.length + 2);
    const key = keys[at] ?? (at === keys.length ? name : "unknown");
    const inner = (value as Json)[key];
    // Half of the nested objects are corrupted inside.
    if (which % 2 && inner !== null && typeof inner === "object" && !Array.isArray(inner)) {
      const innerKey = Object.keys(inner)[which % (Object.keys(inner).length || 1)] ?? "unknown";
      return { ...value, [key]: { ...inner, [innerKey]: bad } };
    }
    return Object.defineProperty({ ...value }, key, { value: bad, enumerable: true, configurable: true });
  });

const rawBytes = fc.oneof(
  fc
    .constantFrom(
      "",
      "{",
      "null",
      "[]",
      '"text"',
      '{"name":"a","name":"b"}',
      '{"__proto__":{"x":1}}',
      `${"[".repeat(20_000)}`,
      `{"name":"${"a".repeat(70_000)}"}`,
      '\ufeff{"name":"a"}',
    )
    .map((some) => Buffer.from(some)),
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  fc.constant(Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])),
);

const asText = (value: unknown): string => (typeof value === "object" ? JSON.stringify(value) : String(value));
/** A value as one part of a URL; text without a UTF-8 form becomes U+FFFD, as in a browser. */
const inUrl = (value: unknown): string => encodeURIComponent(asText(value).toWellFormed());
const inHeader = (value: unknown): string =>
  asText(value)
    .replace(/[^\x20-\x7e\xa0-\xff]/g, "")
    .slice(0, 2000);

const often = <T>(usual: Arbitrary<T>, odd: Arbitrary<T>, weight = 6): Arbitrary<T> =>
  fc.oneof({ weight, arbitrary: usual }, { weight: 1, arbitrary: odd });

function requestTo(operation: Operation): Arbitrary<FuzzRequest> {
  const parameters = operation.parameters.map((each) => {
    const wanted = each.in === "path" || each.name === "If-Match" ? 9 : 2;
    const usual =
      each.name === "If-Match"
        ? fc.constantFrom<unknown>("*", '"1"', '"1"', '"2"', 'W/"1"')
        : each.name === "If-None-Match"
          ? fc.constantFrom<unknown>('"1"', '"2", "1"', "*")
          : valid(each.schema);
    const given = often(usual, evil);
    return each.in === "path" ? given : fc.option(given, { freq: wanted, nil: undefined });
  });
  const json = (value: unknown) => Buffer.from(JSON.stringify(value) ?? "");
  const body: Arbitrary<Buffer | undefined> = operation.body
    ? fc.oneof(
        { weight: 10, arbitrary: valid(operation.body).map(json) },
        { weight: 6, arbitrary: corrupted(operation.body).map(json) },
        { weight: 2, arbitrary: rawBytes },
        { weight: 1, arbitrary: fc.constant(undefined) },
      )
    : often(fc.constant<Buffer | undefined>(undefined), rawBytes, 20);
  const type = fc.oneof(
    { weight: 20, arbitrary: fc.constant("application/json") },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        "text/plain",
        "application/json; charset=utf-16",
        "",
        "application/x-www-form-urlencoded",
      ),
    },
  );
  const extra = often(fc.constant<unknown[]>([]), fc.array(fc.tuple(evilText, evil), { maxLength: 3 }), 8);
  return fc.tuple(fc.tuple(...parameters), body, type, extra).map(([values, body, type, extra]) => {
    let path = operation.path;
    const query: string[] = (extra as [unknown, unknown][]).map(([name, value]) => `${inUrl(name)}=${inUrl(value)}`);
    const headers: Record<string, string> = {};
    for (const [i, { name, in: where }] of operation.parameters.entries()) {
      const value = values[i];
      if (where === "path") path = path.replace(`{${name}}`, inUrl(value));
      else if (value === undefined) continue;
      else if (where === "header") headers[name] = inHeader(value);
      else for (const one of [value].flat()) query.push(`${inUrl(name)}=${inUrl(one)}`);
    }
    if (body) Object.assign(headers, { "Content-Type": type, "Content-Length": String(body.length) });
    return { operation, path: path + (query.length ? `?${query.join("&")}` : ""), headers, body };
  });
}

interface Reply {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

function execute({ operation, path, headers, body }: FuzzRequest): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ port: service.port, method: operation.method, path, headers, agent: false });
    outgoing.setTimeout(5000, () => outgoing.destroy(new Error("no answer within 5 s")));
    outgoing.on("error", reject);
    outgoing.on("response", (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk) => chunks.push(chunk));
      incoming.on("error", reject);
      incoming.on("end", () =>
        resolve({
          status: incoming.statusCode ?? 0,
          headers: incoming.headers,
          text: Buffer.concat(chunks).toString(),
        }),
      );
    });
    outgoing.end(body);
  });
}

/** The first difference between a response and the document, or undefined. */
function violation({ operation, path }: FuzzRequest, { status, headers, text }: Reply): string | undefined {
  if (status >= 500) return `status ${status}: ${text}`;
  if (!headers["x-request-id"] || !headers["x-served-by"]) return "X-Request-Id or X-Served-By is missing";
  if (!/no-store/.test(String(headers["cache-control"]))) return `Cache-Control: ${headers["cache-control"]}`;
  const type = String(headers["content-type"] ?? "").split(";")[0] ?? "";
  // With an empty parameter it is another path.
  if (!new RegExp(`^${operation.path.replace(/\{\w+\}/g, "[^/]+")}$`).test(path.split("?")[0] ?? "")) return undefined;
  const response = operation.responses[status] ?? operation.responses[`${Math.floor(status / 100)}XX`];
  if (!response) return `status ${status} is not in the document: ${text}`;
  const content = response.content;
  if (!content) return text === "" ? undefined : `a body where the document has none: ${text}`;
  const schema = content[type]?.schema;
  if (!schema) return `Content-Type ${type} is not in the document (${Object.keys(content)}) for ${status}: ${text}`;
  if (!/json/.test(type)) return undefined;
  const checked = validator(schema).safeParse(JSON.parse(text));
  return checked.success ? undefined : `${z.prettifyError(checked.error)}\nin the answer ${status} ${text}`;
}

it(`${REQUESTS} random requests from the document: no 5xx, and each response matches the document`, async () => {
  expect(operations.length).toBeGreaterThanOrEqual(15);
  const seen = new Map<string, number>();
  const hit = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(fc.oneof(...operations.map(requestTo)), async (fuzzed) => {
      const response = await execute(fuzzed);
      const kind = `${String(response.status)[0]}xx`;
      seen.set(kind, (seen.get(kind) ?? 0) + 1);
      const name = `${fuzzed.operation.method} ${fuzzed.operation.path}`;
      if (response.status < 300) hit.set(name, (hit.get(name) ?? 0) + 1);
      else if (!hit.has(name)) hit.set(name, 0);
      const wrong = violation(fuzzed, response);
      if (wrong)
        throw new Error(
          `${name}\n${fuzzed.path}\n${JSON.stringify(fuzzed.headers)}\n${fuzzed.body?.subarray(0, 2000)}\n${wrong}`,
        );
    }),
    { numRuns: REQUESTS, seed: SEED, interruptAfterTimeLimit: 240_000, markInterruptAsFailure: true },
  );
  console.log(Object.fromEntries(seen));
  console.table(Object.fromEntries([...hit].sort()));
  // The run proves nothing if all requests are refused, or none.
  expect(seen.get("2xx")).toBeGreaterThan(REQUESTS / 10);
  expect(seen.get("4xx")).toBeGreaterThan(REQUESTS / 10);
  expect([...hit].filter(([, count]) => count === 0)).toEqual([]);
  expect(service.log().filter(({ level }) => Number(level) >= 50)).toEqual([]);
  expect((await service.get("/healthz")).status).toBe(200);
}, 300_000);

it("all rows of these requests can be read back as the document says", async () => {
  for (const list of ["customers", "vehicles", "services", "lines"]) {
    const operation = operations.find(({ method, path }) => method === "GET" && path === `/api/${list}`) as Operation;
    let rows = 0;
    for (let path: string | null = `/api/${list}?limit=100&sort=id`; path; ) {
      const fuzzed = { operation, path, headers: {}, body: undefined };
      const response = await execute(fuzzed);
      expect([response.status, violation(fuzzed, response)]).toEqual([200, undefined]);
      const { items, next } = JSON.parse(response.text);
      rows += items.length;
      path = next && `/api/${list}?limit=100&sort=id&after=${encodeURIComponent(next)}`;
    }
    const [row] = await postgres.rows(`SELECT count(*) FROM ${list}`);
    expect(rows).toBe(Number(row?.count));
  }
});
