import { beforeAll, expect, it, vi } from "vitest";
import type { Job } from "../../../web/workshop/records.ts";
import type { saveChanges as Save } from "../../../web/workshop/save.ts";

let saveChanges: typeof Save;
const base = { id: 7, version: 1, price: "100000.00", paid_at: null, notes: null } as Job;
const paid_at = "2026-11-21T03:00:00.000Z";
/** The job as the API has it, and the versions of the changes that it was asked for. */
let present: Job;
let versions: (string | null)[];

beforeAll(async () => {
  vi.stubGlobal("addEventListener", () => {});
  vi.stubGlobal("location", { origin: "" });
  vi.stubGlobal("document", { getElementById: () => null });
  vi.stubGlobal("fetch", async (_: string, { method, headers, body }: RequestInit) => {
    if (method === "GET") return Response.json(present);
    const version = new Headers(headers).get("If-Match");
    versions.push(version);
    if (version !== `"${present.version}"`) return Response.json({}, { status: 412 });
    present = { ...present, ...JSON.parse(String(body)), version: present.version + 1 };
    return Response.json(present);
  });
  ({ saveChanges } = await import("../../../web/workshop/save.ts"));
});

it.each([
  ["nothing", {}, paid_at, ['"1"']],
  ["another field", { version: 4, notes: "x" }, paid_at, ['"1"', '"4"']],
  ["the price, on which the person has decided", { version: 4, price: "250000.00" }, null, ['"1"']],
])("a payment, after somebody has changed %s", async (_, changed, paid, asked) => {
  present = { ...base, ...changed };
  versions = [];
  const fields = new Map([["paid_at", {} as never]]);
  const saved = await saveChanges("service", base, { paid_at }, { oneClick: true, seen: ["price"], fields });
  expect(saved).toEqual(present);
  expect([present.paid_at, versions]).toEqual([paid, asked]);
});
