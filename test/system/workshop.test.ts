import http from "node:http";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { siteFor } from "../../ops/cluster/sites.ts";
import { firstId } from "../../ops/seed/statements.ts";
import { backends, explainByJournals, must, until } from "../lib/hosts.ts";
import { type Answer, request } from "../lib/http.ts";
import { atNight } from "../lib/night.ts";

beforeEach(explainByJournals);
const site = siteFor("/api/").domain;

// biome-ignore lint/suspicious/noExplicitAny: a test reads the fields that it expects
type JsonAnswer = Answer & { json: any };
type Row = { id: number };

/** One request to the workshop's API through the balancer. */
async function api(
  method: string,
  path: string,
  body?: object,
  headers: Record<string, string> = {},
  options: http.RequestOptions = {},
): Promise<JsonAnswer> {
  const text = body && JSON.stringify(body);
  const all = { Host: site, ...(text ? { "Content-Type": "application/json" } : {}), ...headers };
  const answer = await request(`/api${path}`, { method, ...options, headers: all }, text);
  return { ...answer, json: /json/.test(String(answer.headers["content-type"])) ? JSON.parse(answer.body) : null };
}

const mark = `Uji ${Date.now()}`; // names and plates of this run's own
let made = 0;
const customer = (name = `${mark} ${++made}`) => ({ name, phone: "0812-0000-0001" });
const vehicle = (customer_id: number) => ({
  customer_id,
  plate: `UJI ${(Date.now() + ++made) % 10_000_000} X`,
  make: "Toyota",
  model: "Avanza",
  year: 2020,
});
const p = (values: number[], part: number) =>
  (values.toSorted((a, b) => a - b)[Math.ceil(values.length * part) - 1] ?? 0).toFixed(0);

const remove = (path: string) => api("DELETE", path, undefined, { "If-Match": "*" });

/** Removes the rows that this run made. */
afterAll(async () => {
  const mine = async (): Promise<Row[]> =>
    (await api("GET", `/customers?limit=100&sort=-id&q=${encodeURIComponent(mark)}`)).json.items;
  for (let rows = await mine(); rows.length > 0; rows = await mine())
    await Promise.all(
      rows.map(async ({ id }) => {
        if ((await remove(`/customers/${id}`)).status !== 409) return;
        for (const list of ["services", "vehicles"])
          for (const row of (await api("GET", `/customers/${id}/${list}`)).json.items)
            await remove(`/${list}/${row.id}`);
      }),
    );
});

test("the API names its backend, its release and its document", async () => {
  const answer = await api("GET", "/openapi.json");
  expect([answer.status, answer.json.openapi]).toEqual([200, expect.stringMatching(/^3\.1/)]);
  expect(backends).toContain(answer.headers["x-served-by"]);
  expect(answer.headers["x-release"]).toBeTruthy();
});

test("a row that one backend made the other one reads, changes and removes at once", async () => {
  const by = new Set<unknown>();
  let crossed = 0;
  for (let i = 0; i < 10; i++) {
    const owner = await api("POST", "/customers", customer());
    expect(owner.status, owner.body).toBe(201);
    const read = await api("GET", `/customers/${owner.json.id}`);
    expect([read.status, read.json, read.headers.etag]).toEqual([200, owner.json, owner.headers.etag]);

    const car = await api("POST", "/vehicles", vehicle(owner.json.id));
    expect(car.status, car.body).toBe(201);
    const job = await api("POST", "/services", {
      vehicle_id: car.json.id,
      kind: "Tune up",
      status: "scheduled",
      price: "350000",
      scheduled_at: new Date().toISOString(),
    });
    expect(job.status, job.body).toBe(201);
    const jobs = await api("GET", `/customers/${owner.json.id}/services`);
    expect(jobs.json.items).toEqual([job.json]);

    const done = await api(
      "PATCH",
      `/services/${job.json.id}`,
      { status: "done" },
      { "If-Match": String(job.headers.etag) },
    );
    expect([done.status, done.json.status, done.json.completed_at]).toEqual([200, "done", expect.any(String)]);
    const stale = await api(
      "PATCH",
      `/services/${job.json.id}`,
      { notes: "x" },
      { "If-Match": String(job.headers.etag) },
    );
    expect([stale.status, stale.headers.etag]).toEqual([412, done.headers.etag]);
    const held = await remove(`/customers/${owner.json.id}`);
    expect([held.status, held.json.references]).toEqual([409, { vehicles: 1 }]);

    for (const path of [`/services/${job.json.id}`, `/vehicles/${car.json.id}`, `/customers/${owner.json.id}`]) {
      expect((await remove(path)).status).toBe(204);
      expect((await api("GET", path)).status).toBe(404);
    }
    for (const { headers } of [owner, read, car, job, done]) by.add(headers["x-served-by"]);
    if (owner.headers["x-served-by"] !== read.headers["x-served-by"]) crossed += 1;
  }
  expect([...by].toSorted()).toEqual(backends.toSorted());
  expect(crossed).toBeGreaterThan(0);
});

test("an Idempotency-Key holds across the backends", async () => {
  const body = customer();
  const key = { "Idempotency-Key": mark };
  const answers = await Promise.all(Array.from({ length: 20 }, () => api("POST", "/customers", body, key)));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
  expect(new Set(answers.map(({ json }) => json.id)).size).toBe(1);
  expect(new Set(answers.map(({ headers }) => headers["x-served-by"])).size).toBe(backends.length);
});

describe("under load", () => {
  test("the original's: 3 clients, each 500 times POST and GET of the customers without a pause: no error", async () => {
    const times = { post: [] as number[], get: [] as number[] };
    const errors: string[] = [];
    const since = performance.now();
    const client = async () => {
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      for (let i = 0; i < 500; i++) {
        const post = await api("POST", "/customers", customer(), {}, { agent });
        const get = await api("GET", "/customers", undefined, {}, { agent });
        times.post.push(post.ms);
        times.get.push(get.ms);
        if (post.status !== 201) errors.push(`POST ${post.status} ${post.body}`);
        if (get.status !== 200) errors.push(`GET ${get.status} ${get.body}`);
      }
      agent.destroy();
    };
    await Promise.all([client(), client(), client()]);
    const seconds = (performance.now() - since) / 1000;
    console.log(
      `3000 requests in ${seconds.toFixed(1)} s (${(3000 / seconds).toFixed(0)}/s); POST p95 ${p(times.post, 0.95)} ms, GET p95 ${p(times.get, 0.95)} ms`,
    );
    expect(errors).toEqual([]);
    const [last] = (await api("GET", `/customers?q=${encodeURIComponent(mark)}&sort=-id&limit=1`)).json.items;
    expect(last.name).toContain(mark);
  });

  atNight("20 clients on 20,000 customers' data: no error; p95 of each list", async () => {
    const seed = ["--seed", "80"];
    const ids = firstId(80);
    await must(["ops/run", "seed", "--customers", "20000", ...seed]);
    try {
      const paths = [
        () => "/customers",
        () => `/customers?q=${["budi", "sant", "0812-0000", "B 12"][made % 4]?.replace(" ", "%20")}`,
        () => "/vehicles?q=toyota",
        () => "/services",
        () => "/services?status=scheduled&status=in_progress",
        () => `/customers/${ids + (made % 20_000)}/services`,
        () => `/vehicles/${ids + (made % 30_000)}`,
      ];
      const times = new Map<string, number[]>();
      const errors: string[] = [];
      const since = performance.now();
      const client = async () => {
        const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
        for (let i = 0; i < 10 * paths.length; i++) {
          made += 1;
          const path = paths[i % paths.length]?.() ?? "";
          const answer = await api("GET", path, undefined, {}, { agent });
          const kind = path.replace(/\d{5,}/, "ID").replace(/\?q=.*/, "?q=");
          times.set(kind, [...(times.get(kind) ?? []), answer.ms]);
          if (answer.status !== 200) errors.push(`${path}: ${answer.status} ${answer.body}`);
        }
        agent.destroy();
      };
      await Promise.all(Array.from({ length: 20 }, client));
      const all = [...times.values()].flat();
      console.table([...times].map(([path, each]) => ({ path, "p50 ms": p(each, 0.5), "p95 ms": p(each, 0.95) })));
      console.log(
        `20 clients: ${(all.length / ((performance.now() - since) / 1000)).toFixed(0)} requests/s, p95 ${p(all, 0.95)} ms`,
      );
      expect(errors).toEqual([]);
      expect(Number(p(all, 0.95))).toBeLessThan(2000);
    } finally {
      await must(["ops/run", "seed", "--remove", ...seed]);
    }
    await until("the example data to be gone", 5000, async () => {
      return (await api("GET", `/vehicles/${ids}`)).status === 404;
    });
  });
});
