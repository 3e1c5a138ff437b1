import { afterAll, beforeAll, expect, it } from "vitest";
import type { PostgresServer } from "../../../../ops/loopback/postgres.ts";
import { addScript, type Batch, countScript, removeScript } from "../../../../ops/seed/statements.ts";
import { createPostgres } from "../support/postgres.ts";

let postgres: PostgresServer;
beforeAll(async () => {
  postgres = await createPostgres();
});
afterAll(() => postgres?.destroy());

const now = new Date("2026-11-21T05:00:00Z");

/** Runs a script as the owner; gives how many rows each INSERT or DELETE has changed. */
const run = (script: string): Promise<(number | null)[]> =>
  postgres.ask(async (client) => {
    await client.query("SET ROLE halo_owner; SET search_path = workshop");
    const results = [await client.query(script)].flat();
    return results.filter(({ command }) => /INSERT|DELETE/.test(command)).map(({ rowCount }) => rowCount);
  });
const seed = (seed: number, from: number, to: number, at = now) => run(addScript({ seed, from, to, now: at }));
const remove = (batch: Omit<Batch, "now">) => run(removeScript(batch));

/** One checksum of all tables. */
const sum = async () =>
  (
    await postgres.rows(
      `SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM (SELECT c::text FROM customers c UNION ALL SELECT v::text FROM vehicles v UNION ALL SELECT s::text FROM services s) t`,
    )
  )[0]?.md5;

it("adds 2 : 3 : 10, once; the same rows for the same seed in any batch size, other rows for another seed", async () => {
  expect(await seed(1, 1, 1000)).toEqual([1000, 1500, 5000]);
  const first = await sum();
  expect(await seed(1, 1, 1000, new Date("2026-12-24T05:00:00Z"))).toEqual([0, 0, 0]);
  await postgres.empty();
  expect(await seed(1, 1, 333)).toEqual([333, 499, 1665]);
  expect(await seed(1, 1, 1000)).toEqual([667, 1001, 3335]);
  expect(await sum()).toBe(first);
  expect(await seed(2, 1, 1000)).toEqual([1000, 1500, 5000]);
});

it("creates plausible rows: formats, times and statuses", async () => {
  const bad = {
    customers: `name !~ '^[A-Z][a-z]+( [A-Z][a-z]+)?$' OR phone !~ '^08\\d\\d-00\\d\\d-\\d{4}$' OR email !~ '@example\\.com$'
      OR updated_at <> created_at OR version <> 1`,
    vehicles: `plate !~ '^[A-Z]{1,2} \\d{4} [A-Z]{3}$' OR year NOT BETWEEN 2008 AND 2026 OR vin !~ '^[A-HJ-NPR-Z0-9]{17}$'
      OR created_at < (SELECT created_at FROM customers c WHERE c.id = customer_id)`,
    services: `price NOT BETWEEN 45000 AND 15000000 OR price % 5000 <> 0 OR kind ~ '\\d \\d' OR extract(dow FROM scheduled_at) = 0
      OR scheduled_at NOT BETWEEN '2024-11-20' AND '2026-12-21' OR created_at > '${now.toISOString()}'
      OR (status IN ('done', 'in_progress') AND scheduled_at > '${now.toISOString()}') OR completed_at > '${now.toISOString()}'
      OR (status = 'scheduled' AND scheduled_at <= '${now.toISOString()}')
      OR created_at < (SELECT created_at FROM vehicles v WHERE v.id = vehicle_id)`,
  };
  for (const [table, wrong] of Object.entries(bad))
    expect(await postgres.rows(`SELECT * FROM ${table} WHERE ${wrong} LIMIT 3`), table).toEqual([]);
  const statuses = await postgres.rows("SELECT status FROM services GROUP BY status");
  expect(statuses.map(({ status }) => status).toSorted()).toEqual(["cancelled", "done", "in_progress", "scheduled"]);
});

it("a removal keeps other rows, and the rows that they refer to", async () => {
  const others = `SELECT md5(string_agg(s::text, '' ORDER BY id)) FROM services s WHERE id NOT BETWEEN 1000000000 AND 1999999999`;
  const [mine] = await postgres.rows(
    "INSERT INTO vehicles (customer_id, plate, make, model, year) VALUES (1000000007, 'B 1 A', 'Toyota', 'Kijang', 1999) RETURNING id",
  );
  await postgres.rows(
    "INSERT INTO services (vehicle_id, kind, status, price, scheduled_at) VALUES ($1, 'Tune up', 'scheduled', 1, now())",
    [mine?.id],
  );
  const before = await postgres.rows(others);
  expect(await remove({ seed: 1, from: 1, to: 1000 })).toEqual([5000, 1500, 999]);
  expect(await postgres.rows(others)).toEqual(before);
  expect(await postgres.rows(countScript(1))).toEqual([{ customers: "1", highest: "7" }]);
  expect(await postgres.rows(countScript(2))).toEqual([{ customers: "1000", highest: "1000" }]);
});
