import { expect, test } from "vitest";
import { parseApps } from "../cluster/apps.ts";
import { readYaml } from "../lib/yaml.ts";

test("words and merge keys have the values that Ansible gives them", () => {
  const words = "{a: no, b: Off, c: yes, d: ON, e: 'no', f: y, g: nothing, h: false, i: 2026-01-01}";
  expect(readYaml(words)).toEqual({
    ...{ a: false, b: false, c: true, d: true, e: "no", f: "y", g: "nothing", h: false, i: "2026-01-01" },
  });
  expect(readYaml("x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}").y).toEqual({ a: 1, b: 3 });
});

test("an app without a build, a Redis and a database may say so by no", () => {
  const [app] = parseApps("apps: {shop: {source: ., build: no, redis: no, postgres: off}}");
  expect(app).toMatchObject({ entry: { build: false }, redisPort: null, database: null, ownStores: [] });
});
