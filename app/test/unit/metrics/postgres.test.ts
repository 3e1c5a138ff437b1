import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { PostgresMeter } from "../../../src/metrics/postgres.ts";

test.each([
  ["select 1", "select"],
  ["\n  SELECT 1", "select"],
  ["(select 1) union (select 2)", "other"],
  ["begin", "begin"],
  ["rollback;", "rollback"],
  ["insertion", "other"],
  ["", "other"],
])("%j counts as %s", async (statement, operation) => {
  const registry = new Registry();
  new PostgresMeter(registry).sent(statement, performance.now() - 4);
  const text = await registry.metrics();
  expect(text).toContain(`postgres_query_duration_seconds_bucket{le="0.5",operation="${operation}"} 1`);
  expect(text).toContain(`postgres_query_duration_seconds_bucket{le="0.003",operation="${operation}"} 0`);
});
