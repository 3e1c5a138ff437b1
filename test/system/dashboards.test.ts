import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { query } from "../../ops/cluster/prometheus.ts";
import { existingProvider } from "../../ops/cluster/provider.ts";
import { boards } from "../../ops/dashboards/boards.ts";
import { explainByJournals, until } from "../lib/hosts.ts";
import { traffic } from "../lib/prometheus.ts";

beforeEach(explainByJournals);
let stop: () => Promise<void>;
beforeAll(() => {
  stop = traffic();
});
afterAll(() => stop());

// A container may have no controller of memory, so no limit of an app's either.
const hasNone = (expr: string) => existingProvider() === "docker" && expr.includes("service_memory_limit_bytes");
// Each query as Grafana would send it: its $__rate_interval is four scrapes.
const queries = boards.flatMap(({ uid, rows }) =>
  Object.values(rows)
    .flat()
    .flatMap(({ title, ask }) =>
      Object.keys(ask)
        .filter((expr) => !hasNone(expr))
        .map((expr) => ({
          panel: `${uid}: ${title}`,
          expr: expr.replaceAll("$__rate_interval", "40s").replace(/\$(host|app)/g, ".+"),
        })),
    ),
);

test("every panel's every query has data while there is some traffic", async () => {
  let missing = queries;
  await until("every query has data", 90_000, async () => {
    const found = await Promise.all(
      missing.map(async ({ expr }) => (await query(expr)).some(({ value }) => Number.isFinite(value))),
    );
    missing = missing.filter((_, i) => !found[i]);
    return missing.length === 0;
  }).catch(() => {});
  expect(missing).toEqual([]);
});
