import type { IncomingMessage } from "node:http";
import { describe, expect, it } from "vitest";
import type { z } from "zod";
import { ifMatch, ifNoneMatch } from "../../../src/workshop/http.ts";
import {
  CustomerInput,
  instant,
  LineInput,
  ServiceInput,
  ServicePatch,
  ServiceReplacement,
  VehicleInput,
} from "../../../src/workshop/schema.ts";
import { fieldErrors, invalidFields } from "../../../src/workshop/validation.ts";

const codes = (schema: z.ZodType, input: unknown) => {
  const read = schema.safeParse(input);
  return read.success ? read.data : fieldErrors(read.error, input).map(({ pointer, code }) => `${pointer} ${code}`);
};
const vehicle = { customer_id: 1, plate: "B 1 A", make: "Toyota", model: "Avanza", year: 2020 };
const service = { vehicle_id: 1, kind: "Tune up", price: "1", scheduled_at: "2026-11-21T10:00:00Z" };

describe("fields", () => {
  it("are trimmed, composed and given their defaults", () => {
    expect(codes(CustomerInput, { name: " Re\u0301ne ", phone: "08123" })).toEqual({
      name: "R\u00e9ne",
      phone: "08123",
      email: null,
      address: null,
    });
    expect(codes(ServicePatch, { status: "done" })).toEqual({ status: "done" });
  });

  it("of a PUT have no default where the first contract did not know them", () => {
    const first = ["completed_at", "description", "notes", "status"];
    expect(Object.keys(ServiceReplacement.parse(service)).sort()).toEqual([...Object.keys(service), ...first].sort());
  });

  it("are counted in code points", () => {
    expect(codes(VehicleInput, { ...vehicle, model: "😀".repeat(60) })).toMatchObject({ model: "😀".repeat(60) });
    expect(codes(VehicleInput, { ...vehicle, model: "😀".repeat(61) })).toEqual(["/model too_long"]);
  });

  it.each([
    ["name", "", "too_short"],
    ["name", "  ", "too_short"],
    ["name", "a\u0000", "format"],
    ["name", "\ud800", "format"],
    ["name", null, "type"],
    ["name", undefined, "required"],
    ["phone", "12-34", "format"],
    ["phone", "0812 ext. 5", "format"],
    ["email", "a@b@c", "format"],
    ["__proto__", 1, "unknown_field"],
    ["a/~b", 1, "unknown_field"],
  ])("%s: %j is %s", (field, value, code) => {
    const input = Object.defineProperty({ name: "Budi", phone: "08123" }, field, { value, enumerable: true });
    const pointer = field.replace("~", "~0").replace("/", "~1");
    expect(codes(CustomerInput, input)).toEqual([`/${pointer} ${code}`]);
  });

  it.each([
    ["plate", "ß 1", "format"],
    ["plate", "-", "format"],
    ["vin", "IIIIIIIIIIIIIIIII", "format"],
    ["year", 1899, "range"],
    ["year", new Date().getUTCFullYear() + 2, "range"],
    ["year", "2020", "type"],
    ["year", 2020.5, "type"],
    ["customer_id", 2 ** 53, "range"],
  ])("of a vehicle, %s: %j is %s", (field, value, code) => {
    expect(codes(VehicleInput, { ...vehicle, [field]: value })).toEqual([`/${field} ${code}`]);
  });

  it.each([
    ["price", "1.234", "format"],
    ["price", "-1", "format"],
    ["price", "1e3", "format"],
    ["price", 1, "type"],
    ["status", "late", "format"],
    ["status", 1, "type"],
    ["scheduled_at", "2026-11-21T10:00:00", "format"],
    ["scheduled_at", "2026-02-29T10:00:00Z", "format"],
    ["scheduled_at", "1899-12-31T23:59:59Z", "format"],
    ["scheduled_at", "1900-01-01T00:00:00+05:00", "format"],
    ["scheduled_at", "2099-12-31T23:00:00-05:00", "format"],
  ])("of a service, %s: %j is %s", (field, value, code) => {
    expect(codes(ServiceInput, { ...service, [field]: value })).toEqual([`/${field} ${code}`]);
  });

  it.each([
    ["type", "gift", "format"],
    ["quantity", "0.000", "range"],
    ["quantity", "1,5", "format"],
    ["quantity", "1.0001", "format"],
    ["quantity", 2, "type"],
    ["unit_price", "1e3", "format"],
    ["total", "1", "unknown_field"],
  ])("of a line, %s: %j is %s", (field, value, code) => {
    const line = { service_id: 1, type: "part", name: "Oli", quantity: "0.5", unit_price: "85000" };
    expect(codes(LineInput, line)).toEqual(line);
    expect(codes(LineInput, { ...line, [field]: value })).toEqual([`/${field} ${code}`]);
  });

  it("times are stored in UTC with milliseconds", () => {
    expect(instant.parse("2026-11-21T10:00:00.12345+07:00")).toBe("2026-11-21T03:00:00.123Z");
  });
});

describe("entity tags", () => {
  const request = (headers: object) => ({ headers }) as IncomingMessage;
  it("name versions, weak or strong, one or several, or any", () => {
    expect(ifMatch(request({ "if-match": 'W/"3", "4"' }))).toEqual([3, 4]);
    expect(ifMatch(request({ "if-match": " * " }))).toBeNull();
    expect(ifMatch(request({ "if-match": "3" }))).toEqual([]);
    expect(() => ifMatch(request({}))).toThrow(expect.objectContaining({ status: 428 }));
    expect(ifNoneMatch(request({ "if-none-match": '"3"' }), 3)).toBe(true);
    expect(ifNoneMatch(request({}), 3)).toBe(false);
  });
});

it("a body with thousands of invalid fields gets the first 50 errors and their number", () => {
  const long = "n".repeat(50_000);
  const input = Object.fromEntries([long, ...Array.from({ length: 8100 }, (_, i) => `k${i}`)].map((key) => [key, 1]));
  const read = CustomerInput.safeParse(input);
  const { message, extra } = invalidFields(fieldErrors(read.error as z.ZodError, input));
  expect(message).toBe("8103 fields are invalid.");
  expect(extra).toMatchObject({ errors: { length: 50 }, error_count: 8103 });
  expect(extra.errors).toContainEqual({
    pointer: `/${"n".repeat(100)}\u2026`,
    code: "unknown_field",
    detail: expect.any(String),
  });
  expect(JSON.stringify(extra).length).toBeLessThan(16_384);
});
