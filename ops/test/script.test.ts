import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, expect, test } from "vitest";
import { scriptError } from "../cluster/session.ts";
import { shellScript, sqlScript } from "../lib/script.ts";

const folder = mkdtempSync(join(tmpdir(), "halo-script-"));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return pathToFileURL(join(folder, name));
};

test("the variables of an SQL file are replaced as psql does it, and a cast is none", () => {
  const statement = file("a.sql", "SELECT :count::int, :'name', now()::date WHERE id = :count;\n");
  expect(sqlScript(statement, { count: 2, name: "it's" })).toBe("SELECT 2::int, 'it''s', now()::date WHERE id = 2;\n");
  expect(() => sqlScript(statement, { count: 2 })).toThrow("no value for :'name'");
  expect(() => sqlScript(statement, { count: "2; DROP TABLE a", name: "a" })).toThrow("no value for :count");
});

test.each([
  ["a file's", shellScript(file("a.sh", "#!/bin/bash\nfalse\n"), "secret"), "a.sh"],
  ["a line's", "echo\nsystemctl stop nginx; secret", "systemctl stop nginx; secret"],
  ["a long line's", "x".repeat(200), `${"x".repeat(99)}…`],
])("the error of a script has %s name, the host, the exit status and the last lines of stderr", (_, script, name) => {
  const errors = Array.from({ length: 30 }, (_, i) => `line ${i}`).join("\n");
  expect(scriptError("backend1", script, 3, "some output", `${errors}\n`).message).toBe(
    `on backend1: ${name}: exit status 3\n${errors.split("\n").slice(-10).join("\n")}`,
  );
  expect(scriptError("backend1", script, 3, "some output", "").message).toMatch(/exit status 3\nsome output$/);
});
