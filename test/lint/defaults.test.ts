import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { root } from "../../ops/lib/paths.ts";
import { sourceFiles } from "../../ops/lib/source.ts";

// A role's defaults are known inside the role only, so a text that another role or all hosts render has a copy.
const roles = join(root, "ansible/roles");
const defaults: Record<string, unknown> = Object.assign(
  {},
  ...readdirSync(roles).map((role) => parse(readFileSync(join(roles, role, "defaults/main.yml"), "utf8"))),
);
const copy = /\b([a-z]\w+) *\| *default\(([^()]+)\)|attribute='(\w+)', *default=([^()]+?)\)/g;
const copies = ["ansible", "nginx"].flatMap((folder) =>
  sourceFiles(root, join(root, folder)).flatMap((file) =>
    [...readFileSync(join(root, folder, file), "utf8").matchAll(copy)]
      .map(([text, name, value, attribute, other]) => ({ file, text, name: name ?? attribute, value: value ?? other }))
      .filter(({ name = "" }) => name in defaults),
  ),
);

test.each(copies)("$file: $text is the role's own default", ({ name = "", value = "" }) => {
  expect(parse(value)).toEqual(defaults[name]);
});
test("the copies are found in filters and in attributes", () => {
  expect(copies.map(({ name }) => name)).toEqual(
    expect.arrayContaining(["nginx_status_port", "postgres_statement_timeout"]),
  );
});
