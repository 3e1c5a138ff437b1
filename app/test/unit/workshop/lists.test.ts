import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import { describe, expect, it } from "vitest";
import { listStatement, readListRequest } from "../../../src/workshop/lists.ts";
import { resources } from "../../../src/workshop/resources.ts";

const db = new Kysely({ dialect: new PostgresDialect({ pool: new pg.Pool() }) });
const compiled = (name: keyof typeof resources, query: string) => {
  const resource = resources[name];
  return listStatement(resource, readListRequest(resource, new URLSearchParams(query))).compile(db);
};

describe("a list's statement", () => {
  it("has what the client sent among its parameters only, with LIKE's signs made plain", () => {
    const { sql, parameters } = compiled("customers", "q=Zzz%25_%5C'--");
    expect(sql).not.toMatch(/zz|'--/i);
    expect(parameters).toContain("%zzz\\%\\_\\\\'--%");
  });

  it("reads no more than a page and one row in each branch", () => {
    const { sql, parameters } = compiled("services", "status=done&status=cancelled&limit=10");
    expect(sql.match(/limit/g)).toHaveLength(3);
    expect(parameters.filter((value) => value === 11)).toHaveLength(3);
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

  it("looks for numbers, plates and names only in what can be one", () => {
    const branches = (q: string) => compiled("customers", `q=${encodeURIComponent(q)}`).parameters.slice(0, -1);
    expect(branches("0812-3456")).toContain("%8123456%");
    expect(branches("+62 812 3456")).toContain("%8123456%");
    const plate = ["B12XY%", expect.any(Number)];
    expect(branches("b 12 xy")).toEqual(["b 12 xy%", expect.any(Number), "% b 12 xy%", expect.any(Number), ...plate]);
    expect(branches("--")).toEqual([26]);
  });
});
