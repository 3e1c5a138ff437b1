import { existsSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { textOf } from "../../../ops/lib/script.ts";
import type { PostgresServer } from "../../../ops/loopback/postgres.ts";
import { createPostgres } from "./support/postgres.ts";

let postgres: PostgresServer;
beforeAll(async () => {
  postgres = await createPostgres();
});
afterAll(() => postgres?.destroy());

const state = () => postgres.rows(textOf(new URL("state.sql", import.meta.url)));

const made = join(tmpdir(), `halo-migration-${process.pid}`);
const inside = /cannot (?:be executed from a function|run inside a transaction block)/;

describe("a failed migration changes nothing, whatever it contains", () => {
  it.each([
    [
      "a transaction of its own",
      "BEGIN; CREATE TABLE a (x int); COMMIT; SELECT 1/0;",
      /EXECUTE of transaction commands/,
    ],
    ["a rollback", "CREATE TABLE a (x int); ROLLBACK;", /EXECUTE of transaction commands/],
    ["an end, at its end", "CREATE TABLE a (x int); END", /EXECUTE of transaction commands/],
    [
      "a start in lower case, after a comment",
      "CREATE TABLE a (x int); /* ; */ start transaction;",
      /EXECUTE of trans/,
    ],
    ["a savepoint", "CREATE TABLE a (x int); SAVEPOINT s;", /EXECUTE of transaction commands/],
    ["two phases", "CREATE TABLE a (x int); PREPARE TRANSACTION 'a';", /EXECUTE of transaction commands/],
    ["a commit in a block", "CREATE TABLE a (x int); DO 'BEGIN COMMIT; END';", /invalid transaction termination/],
    ["an index without a transaction", "CREATE TABLE a (x int); CREATE INDEX CONCURRENTLY ON a (x);", inside],
    ["a vacuum", "CREATE TABLE a (x int); VACUUM customers;", inside],
    ["a command of psql's", `CREATE TABLE a (x int);\n\\! touch ${made}\n`, /syntax error at or near "\\"/],
    ["rows for COPY", "CREATE TABLE a (x int);\nCOPY a FROM STDIN;\n", /cannot COPY to\/from client/],
    [
      "another role",
      "CREATE TABLE a (x int); RESET ROLE; CREATE TABLE public.b (x int);",
      /cannot set parameter "role"/,
    ],
    [
      "a fault in its last line",
      "CREATE TABLE a (x int);\nINSERT INTO a VALUES (1);\nSELECT no;",
      /LINE 3: SELECT no;/,
    ],
    ["a fault that shows with the rows", "CREATE TABLE a (x int); SELECT 1/0;", /division by zero/],
  ])("%s", async (_, text, words) => {
    const before = await state();
    try {
      expect(() => postgres.apply("9999-test.sql", text)).toThrow(words);
      expect(await state()).toEqual(before);
      expect(existsSync(made)).toBe(false);
    } finally {
      rmSync(made, { force: true });
      await postgres.rows("DROP TABLE IF EXISTS a");
      await postgres.rows("DELETE FROM migrations WHERE name LIKE '9999%'");
    }
  });
});

it("transaction keywords in comments, strings and bodies are no transaction control", async () => {
  const text = `-- BEGIN; it's
/* COMMIT; */ CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $f$ BEGIN RETURN 1; END $f$;
CREATE TABLE a (x text DEFAULT 'ROLLBACK; \\x');
INSERT INTO a DEFAULT VALUES;
ALTER TABLE a ADD y int;
UPDATE a SET y = f();`;
  postgres.apply("9000-test.sql", text);
  expect(await postgres.rows("SELECT * FROM a")).toEqual([{ x: "ROLLBACK; \\x", y: 1 }]);
  expect((await postgres.rows("SELECT tableowner FROM pg_tables WHERE tablename = 'a'"))[0]).toEqual({
    tableowner: "halo_owner",
  });
});
