import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import { describe, expect, it } from "vitest";
import { linksOf, listStatement, readListRequest } from "../../../src/workshop/lists.ts";
import { resources } from "../../../src/workshop/resources.ts";

const db = new Kysely({ dialect: new PostgresDialect({ pool: new pg.Pool() }) });
const compiled = (name: keyof typeof resources, query: string) => {
  const resource = resources[name];
  return listStatement(resource, readListRequest(resource, new URLSearchParams(query))).compile(db);
};

describe("a list's statement", () => {
  it("has the client's values only among its parameters, with LIKE's wildcards escaped", () => {
    const { sql, parameters } = compiled("customers", "q=Zzz%25_%5C'--");
    expect(sql).not.toMatch(/zz|'--/i);
    expect(parameters).toContain("%zzz\\%\\_\\\\'--%");
  });

  it("reads at most a page and one row in each branch", () => {
    const { sql } = compiled("services", "status=done&status=cancelled&limit=10");
    expect(sql.match(/limit 11\b/g)).toHaveLength(3);
  });

  it.each(["b".repeat(150), " a  b ", "t\u0308o", "\u{1f600}".repeat(200), "\u0001".repeat(200)])(
    "goes on after a cursor's key as it is (%#)",
    (key) => {
      for (const sort of ["name", "-name"]) {
        const after = Buffer.from(JSON.stringify([sort, key, 7])).toString("base64url");
        expect(compiled("customers", `sort=${sort}&after=${after}`).parameters).toContain(key);
      }
    },
  );

  const patterns = (q: string, name: keyof typeof resources = "customers") =>
    compiled(name, `q=${encodeURIComponent(q)}`).parameters.filter((each) => typeof each === "string");

  const fromStart = ["08123456", "628123456", "8123456"].flatMap((start) => [start, `${start}\u{10ffff}`]);

  it.each([
    ["0812-3456", fromStart],
    ["+62 812 3456", fromStart],
    ["812-3456", ["%8123456%"]],
    ["0812", ["%0812%"]],
    ["1162", ["%1162%"]],
    ["b 12 xy", ["%b12xy%", "% b 12 xy%"]],
    ["B 1", ["% b1%", "% b 1%"]],
    ["77 ZZ", ["% 77%", "% zz%", "%77zz%"]],
    ["budi@contoh.id", ["%budi@contoh.id%"]],
    ["Santoso Budi", ["%santoso%", "%budi%"]],
    ["budi - 1162", ["%budi%", "%1162%"]],
    ["cx-5", ["% cx-5%", "%cx5%"]],
    ["Budi", ["budi%", "%budi%", "%budi%", "%budi%"]],
    ["ad", ["ad%", "% ad%", "% ad%"]],
    ["--", []],
  ])("searches a customer by %j with few patterns", (q, expected) => expect(patterns(q)).toEqual(expected));

  it.each([
    ["1162", ["%1162%"]],
    ["brio honda", ["%brio%", "%honda%"]],
    ["avanza", ["%avanza%", "%avanza%"]],
  ])("searches a vehicle by %j", (q, expected) => expect(patterns(q, "vehicles")).toEqual(expected));
});

describe("a list's links", () => {
  const links = (name: keyof typeof resources, query: string, next: string | null = null) =>
    linksOf("/api/x", readListRequest(resources[name], new URLSearchParams(query)), next);
  const emoji = "\u{1f600}".repeat(100);

  it.each([
    ["customers", `q=a${"+".repeat(1815)}`, "q=a"],
    ["customers", `q=${"%20".repeat(2000)}`, "q="],
    ["services", `from=2026-01-01T00:00:00.${"0".repeat(2000)}Z`, "from=2026-01-01T00%3A00%3A00.000Z"],
    ["services", `status=done&status=done&vehicle_id=${"0".repeat(15)}7`, "status=done&vehicle_id=7"],
  ] as const)("have a query of %s as it was understood (%#)", (name, query, understood) => {
    expect(links(name, query)).toBe(`</api/x?${understood}>; rel="first"`);
  });

  it("fit below 8 KiB at their longest", () => {
    const after = Buffer.from(JSON.stringify(["-name", "\u0001".repeat(200), Number.MAX_SAFE_INTEGER])).toString(
      "base64url",
    );
    const query = `q=${encodeURIComponent(emoji)}&sort=-name&limit=100&after=${after}`;
    const longest = links("customers", query, "n".repeat(2000));
    expect(longest).toContain('rel="next"');
    expect(longest.length).toBeGreaterThan(4096);
    expect(longest.length).toBeLessThan(8192);
  });
});

it("a query with thousands of invalid parameters gets the first 50 errors and their number", () => {
  const query = Array.from({ length: 2000 }, (_, i) => `p${i}`).join("&");
  const read = () => readListRequest(resources.customers, new URLSearchParams(`${"n".repeat(5000)}&${query}`));
  const refused = Object(catchIt(read));
  expect([refused.status, refused.extra.errors.length, refused.extra.error_count]).toEqual([400, 50, 2001]);
  expect(JSON.stringify(refused.extra).length).toBeLessThan(16_384);
});

const catchIt = (work: () => unknown): unknown => {
  try {
    return work();
  } catch (error) {
    return error;
  }
};
