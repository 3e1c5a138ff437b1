import { afterAll, beforeAll, expect, it } from "vitest";
import type { PostgresServer } from "../../../../ops/loopback/postgres.ts";
import { until } from "../../../../ops/loopback/until.ts";
import { addScript } from "../../../../ops/seed/statements.ts";
import { atNight, wholeNight } from "../../../../test/lib/night.ts";
import { createPostgres } from "../support/postgres.ts";
import { Service } from "../support/service.ts";
import { p95, type Reply, send } from "../support/workshop.ts";

const CUSTOMERS = wholeNight ? 100_000 : 25_000;
/** The aim is 50 ms; a machine that does other work meanwhile may take ten times that. */
const AIM_MS = 50;
const SEED = 1_000_000_000; // the ids of seed 1 begin here

let postgres: PostgresServer;
let service: Service;

beforeAll(async () => {
  postgres = await createPostgres();
  const since = performance.now();
  await postgres.ask(async (client) => {
    await client.query("SET ROLE halo_owner; SET search_path = workshop");
    // As in a restore, an index is made once its table is full; but for the one by which the triggers find a customer's vehicles.
    const indexes = await client.query(
      "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'workshop' AND indexname <> 'vehicles_by_customer' AND indexname NOT IN (SELECT conname FROM pg_constraint)",
    );
    for (const { indexname } of indexes.rows) await client.query(`DROP INDEX ${indexname}`);
    for (let from = 1; from <= CUSTOMERS; from += 10_000)
      await client.query(addScript({ seed: 1, from, to: from + 9999, now: new Date() }));
    for (const { indexdef } of indexes.rows) await client.query(indexdef);
    await client.query("ANALYZE customers; ANALYZE vehicles; ANALYZE services");
  });
  console.log(`${CUSTOMERS} customers seeded in ${((performance.now() - since) / 1000).toFixed(1)} s`);
  // From here on PostgreSQL logs the plan of each statement of the service.
  await postgres.signal("SIGINT");
  await postgres.start({
    session_preload_libraries: "auto_explain",
    "auto_explain.log_min_duration": 0,
    "auto_explain.log_level": "LOG",
  });
  service = await Service.startWorkshop(postgres);
}, 300_000);
afterAll(async () => {
  await service?.kill();
  await postgres?.destroy();
});

const day = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString();

/** Each list, order, filter and kind of search; a search's matches are many, few or none. */
const lists = [
  ...["id", "name", "created_at"].flatMap((sort) => [`customers?sort=${sort}`, `customers?sort=-${sort}`]),
  ...[
    "budi",
    "sant",
    "wati",
    "i",
    "ad",
    "zzzz",
    "0812-0000",
    "77-0012-3",
    "B 12",
    "D 4567",
    "%",
    "---",
    "a--",
    "-a-",
    "rahayu 9",
    "1162",
    "162 XY",
    "wati budi",
    "IS 350",
    "budi D 4567 AB",
    "wati 162 XY",
    "toyota",
    "avanza budi",
    "budi.santoso",
    "bidi",
    "santosso avansa",
  ].map((q) => `customers?q=${encodeURIComponent(q)}`),
  "customers?q=budi&sort=-created_at",
  "customers?q=zzzz&sort=id",
  ...["id", "plate", "created_at"].flatMap((sort) => [`vehicles?sort=${sort}`, `vehicles?sort=-${sort}`]),
  ...[
    "B 12",
    "b",
    "AB 1",
    "1162",
    "toyota",
    "avanza",
    "max gran",
    "GT 86",
    "toyota B 12",
    "avansa",
    "zzzz",
    "a",
    "%",
    "x%%",
  ].map((q) => `vehicles?q=${encodeURIComponent(q)}`),
  "vehicles?q=toyota&sort=-created_at",
  `vehicles?customer_id=${SEED + 4242}`,
  `vehicles?customer_id=${SEED + 4242}&sort=-id`,
  ...["id", "scheduled_at", "created_at"].flatMap((sort) => [`services?sort=${sort}`, `services?sort=-${sort}`]),
  ...["scheduled", "in_progress", "done", "cancelled"].flatMap((status) =>
    ["id", "-scheduled_at", "-created_at"].map((sort) => `services?status=${status}&sort=${sort}`),
  ),
  "services?status=scheduled&status=in_progress",
  "services?status=done&status=cancelled&sort=created_at",
  `services?from=${day(-1)}&to=${day(7)}`,
  `services?from=${day(-400)}&to=${day(-300)}&status=cancelled`,
  `services?from=${day(-1)}&to=${day(1)}&sort=id`,
  `services?from=${day(-1)}&to=${day(1)}&sort=-created_at`,
  `services?to=${day(-720)}`,
  `services?remind_before=${day(7)}&sort=scheduled_at`,
  ...[-1, -400].map((days) => `services?completed_from=${day(days)}&sort=-scheduled_at`),
  `services?vehicle_id=${SEED + 4242}`,
  `services?vehicle_id=${SEED + 4242}&sort=id`,
  `services?customer_id=${SEED + 4242}`,
  `services?customer_id=${SEED + 4242}&status=done&sort=-created_at`,
  `customers/${SEED + 4242}/vehicles`,
  `customers/${SEED + 4242}/services`,
  `vehicles/${SEED + 4242}/services`,
];

const inCar = (q: string) => `concat(model_key, ' ', lower(plate_key)) LIKE '%${q}%'`;
const inName = (q: string) =>
  `name_key LIKE '%${q}%' OR EXISTS (SELECT FROM vehicles WHERE customer_id = t.id AND ${inCar(q)})`;
/** Texts of one word, with the condition of their matches, which no index changes. */
const matches = [
  ...["budi", "udi", "sant", "ayu", "mega", "toyota"].map((q) => ({ list: "customers", q, where: inName(q) })),
  { list: "customers", q: "0812-0000", where: "phone_digits LIKE '08120000%'" },
  ...["toyota", "avanza", "xl7", "ayu"].map((q) => ({ list: "vehicles", q, where: inCar(q) })),
];

const ask = async (path: string): Promise<Reply> => {
  const reply = await send(`${service.url}/api/${path}`);
  if (reply.status !== 200) throw new Error(`${path}: ${reply.status} ${JSON.stringify(reply.body)}`);
  return reply;
};

atNight(
  "each list answers within its bound, its first page and all further ones",
  async () => {
    const slow: string[] = [];
    const table: { list: string; rows: number; "p95 ms": number }[] = [];
    for (const list of lists) {
      const times: number[] = [];
      let rows = 0;
      let path: string | null = list;
      for (let page = 0; page < 25 && path; page++) {
        const { body, ms } = await ask(path);
        times.push(ms);
        rows += body.items.length;
        path = body.next && `${list}${list.includes("?") ? "&" : "?"}after=${encodeURIComponent(body.next)}`;
      }
      while (times.length < 25) times.push((await ask(list)).ms);
      const value = p95(times);
      table.push({ list, rows, "p95 ms": Number(value.toFixed(1)) });
      if (value >= 10 * AIM_MS) slow.push(`${list}: ${value.toFixed(0)} ms`);
    }
    const sorted = table.toSorted((a, b) => b["p95 ms"] - a["p95 ms"]);
    console.table(sorted);
    console.log(
      `${sorted.filter((each) => each["p95 ms"] < AIM_MS).length} of ${lists.length} lists under ${AIM_MS} ms`,
    );
    expect(slow).toEqual([]);
  },
  300_000,
);

it("a search has the matches of its text in the order of the list, on each page", async () => {
  for (const { list, q, where } of matches)
    for (const direction of ["", "-"]) {
      const sort = list === "customers" ? "name" : "plate";
      const found: number[] = [];
      let after = "";
      for (let page = 0; page < 4; page++) {
        const { body } = await ask(`${list}?q=${q}&limit=100&sort=${direction}${sort}${after}`);
        found.push(...body.items.map(({ id }: { id: number }) => id));
        if (!body.next) break;
        after = `&after=${body.next}`;
      }
      const order = direction ? "DESC" : "ASC";
      const expected = await postgres.ask(async (client) => {
        const text = `SELECT id FROM workshop.${list} t WHERE ${where} ORDER BY ${sort}_key ${order}, id ${order} LIMIT 400`;
        await client.query("SET search_path = workshop");
        return (await client.query(text)).rows.map(({ id }) => Number(id));
      });
      expect(expected.length, q).toBeGreaterThan(wholeNight ? 5 : 0);
      expect([list, q, direction, found]).toEqual([list, q, direction, expected]);
    }
}, 120_000);

it("no list scans a whole large table", async () => {
  const wrong: string[] = [];
  for (const list of lists) {
    const { body } = await ask(list);
    const paths = [list];
    if (body.next) paths.push(`${list}${list.includes("?") ? "&" : "?"}after=${encodeURIComponent(body.next)}`);
    for (const path of paths) {
      postgres.log = "";
      await ask(path);
      // The log is a pipe: a plan may come a moment after the answer.
      await until("its plan", () => /plan:[\s\S]*\b(customers|vehicles|services)\b/.test(postgres.log));
      const scans = postgres.log.match(/^.*Seq Scan on (customers|vehicles|services)\b.*$/gm);
      if (scans) wrong.push(`${path}\n${postgres.log}`);
    }
  }
  expect(wrong.join("\n\n")).toBe("");
}, 300_000);
