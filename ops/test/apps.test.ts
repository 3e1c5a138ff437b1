import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { envLines, refuseValue, secretNames } from "../apps/env.ts";
import { appTable, noAnswer, readStates } from "../apps/table.ts";
import { type App, apps, findApp, parseApps } from "../cluster/apps.ts";
import { firewallServices, serviceLogs } from "../cluster/services.ts";
import { counterApp, parseSites, type Site, sites } from "../cluster/sites.ts";
import { root } from "../lib/paths.ts";
import { target } from "../releases/rollout.ts";
import { filter } from "./support/filter.ts";

const groups = {
  all: ["front", "app1", "app2"],
  balancers: ["front"],
  backends: ["app1", "app2"],
  monitoring: ["front"],
};
const demo = { source: ".", start: "node app/src/main.ts", port: 3100 };
const shop = { source: "../shop" };
const hostvars = { front: {}, app1: {}, app2: {} };
const problems = (given: unknown, of: unknown = []) =>
  filter<string[]>("apps", "app_problems", given, groups, hostvars, of, firewallServices());

test("the committed apps, and none, are right", () => {
  const committed = (file: string) => parse(readFileSync(join(root, "ansible/group_vars/all", file), "utf8"));
  expect(problems(committed("apps.yml").apps, committed("sites.yml").sites)).toEqual([]);
  expect(problems({})).toEqual([]);
  expect(problems(null)).toEqual([]);
});

test("the name of each service and each log of Halo's own is refused", () => {
  const shop = { source: "../shop" };
  const names = [...Object.keys(firewallServices()), ...Object.keys(serviceLogs())];
  const own = [...new Set(names)].filter((name) => !apps().some((app) => app.name === name));
  expect(own.length).toBeGreaterThan(8);
  for (const name of own)
    expect([name, problems({ [name]: shop })]).toEqual([name, [expect.stringMatching(/^apps\.yml: .* name /)]]);
});

describe("Python and TypeScript agree", () => {
  const given = {
    demo: {
      ...demo,
      workers: 3,
      migrate: { sql: "app/migrations" },
      postgres: "shared",
      domains: ["demo.test", "d.test"],
    },
    shop: { ...shop, hosts: "app1", redis: true },
    "a-b-c9": { ...shop, port: 4000, hosts: ["app2"], redis: "shared", postgres: { pool: 4 } },
    film: { ...shop, redis: { evict: true }, postgres: { shared: true } },
  };
  type Store = { shared: boolean } | false;
  type Plan = Record<
    keyof App | "metrics_ports" | "migrate_sql" | "own_stores" | "candidate_unit" | "redis_port" | "cron_units",
    unknown
  > & {
    redis: Store;
    postgres: Store;
  };
  const plans = filter<Record<string, Plan>>("apps", "app_plans", given, groups);
  const read = parseApps(JSON.stringify({ apps: given }));

  test("on every key and name that both have", () => {
    const same = [
      "name",
      "source",
      "domains",
      "port",
      "runs",
      "health",
      "unit",
      "user",
      "root",
      "settings",
      "state",
      "pages",
    ];
    const pick = (plan: object) => Object.fromEntries(Object.entries(plan).filter(([key]) => same.includes(key)));
    expect(read.map(pick)).toEqual(Object.values(plans).map(pick));
    expect(Object.keys(pick(plans.shop ?? {}))).toHaveLength(same.length);
    expect(read.map(({ metricsPorts }) => metricsPorts)).toEqual(
      Object.values(plans).map(({ metrics_ports }) => metrics_ports),
    );
    expect(read.map(({ candidateUnit }) => candidateUnit)).toEqual(
      Object.values(plans).map(({ candidate_unit }) => candidate_unit),
    );
    expect(read.map(({ ownStores }) => ownStores)).toEqual(Object.values(plans).map(({ own_stores }) => own_stores));
    expect(read.map(({ cronUnits }) => cronUnits)).toEqual(Object.values(plans).map(({ cron_units }) => cron_units));
    expect(read.map(({ migrations }) => migrations)).toEqual(
      Object.values(plans).map(({ migrate_sql }) => migrate_sql),
    );
    expect(read.map(({ hosts }) => hosts ?? groups.backends)).toEqual(Object.values(plans).map(({ hosts }) => hosts));
    expect(read.map(({ redisPort }) => redisPort)).toEqual(
      Object.values(plans).map(({ redis, redis_port }) => (redis && !redis.shared ? redis_port : null)),
    );
    expect(read.map((app) => app.database)).toEqual(
      Object.values(plans).map(({ postgres, database }) => (postgres ? (postgres.shared ? "halo" : database) : null)),
    );
  });

  test("on the sites of the domains", () => {
    const all = filter<{ domain: string; ports: number[] }[]>(
      "apps",
      "with_app_sites",
      parse(readFileSync(join(root, "ansible/group_vars/all/sites.yml"), "utf8")).sites,
      filter("apps", "app_plans", parse(readFileSync(join(root, "ansible/group_vars/all/apps.yml"), "utf8")).apps),
    );
    expect(all.map(({ domain }) => domain)).toEqual(sites().map(({ domain }) => domain));
    const [film] = filter<object[]>(
      "apps",
      "with_app_sites",
      [],
      filter("apps", "app_plans", { film: { source: "x", domains: ["film.test"] } }),
    );
    expect(parseSites(JSON.stringify({ sites: [film] }))).toEqual([
      { domain: "film.test", ports: [80], paths: ["/"], service: "film", tls: "local", redirect: false },
    ]);
  });

  test("about the TLS of a site", () => {
    const given = [
      { domain: "a.test" },
      { domain: "b.example" },
      { domain: "c.example", tls: "acme" },
      { domain: "d.example", tls: "files", redirect: false },
      { domain: "e.test", login: {} },
      { domain: "f.test", login: {}, tls: false },
      { domain: "g.test", redirect: true },
    ].map((site) => ({ ...site, ports: [80] }));
    const parts = (all: Site[]) => all.map(({ domain, tls, redirect }) => [domain, tls, redirect]);
    expect(parts(parseSites(JSON.stringify({ sites: given })))).toEqual(
      parts(filter<Site[]>("tls", "with_tls", given, "https://staging.example")),
    );
    const [, , real] = filter<Site[]>("tls", "with_tls", given, "https://ca.example");
    expect(real?.redirect).toBe(true);
  });
});

test("a port that the name gives does not depend on other apps", () => {
  const [alone] = parseApps("apps: {shop: {source: x}}");
  const [, second] = parseApps("apps: {film: {source: x}, shop: {source: x}}");
  expect(alone?.port).toBe(second?.port);
  expect(alone?.port).toBeGreaterThanOrEqual(20_000);
});

test("an entry with wrong values is read as an empty one: app_problems reports it", () => {
  const plans = filter<Record<string, { port: number }>>("apps", "app_plans", { shop: null, film: { port: "80" } });
  expect(Object.values(plans).every(({ port }) => port >= 20_000)).toBe(true);
  expect(filter("apps", "app_plans", ["shop"])).toEqual({});
});

test.each([
  ["apps: [", /cannot be read/],
  ["apps: [shop]", /apps has to be a map/],
])("the text %j is refused", (text, message) => expect(() => parseApps(text)).toThrow(message));

test("an app is found by its name, the first one without a name, and an unknown one is refused with the list", () => {
  const all = parseApps("apps: {shop: {source: x}, film: {source: x}}");
  expect(findApp("film", all).name).toBe("film");
  expect(findApp(undefined, all).name).toBe("shop");
  expect(() => findApp("halo", all)).toThrow("there is no app halo");
  expect(() => findApp(undefined, [])).toThrow(/has no app/);
});

test("the committed apps are services with logs of their own, and the counter's is one of them", () => {
  for (const { name, port, unit } of apps()) {
    expect(firewallServices()[name]?.ports).toEqual([port]);
    expect(serviceLogs()[name]?.units[0]).toBe(unit);
  }
  expect(apps().map(({ name }) => name)).toContain(counterApp().name);
});

test("the table of apps has the state of each on its hosts, and the sites that it answers", () => {
  const all = parseApps(
    "apps: {shop: {source: x, port: 4000, domains: [shop.test]}, film: {source: ../f, static: dist, domains: [film.test]}}",
  );
  const own: Site[] = [
    { domain: "main.test", ports: [81], paths: ["/"], service: "shop", tls: "off", redirect: false },
    { domain: "shop.test", ports: [80], paths: ["/"], service: "shop", tls: "local", redirect: false },
    { domain: "film.test", ports: [80], paths: ["/"], tls: "off", redirect: false },
  ];
  const states = [
    ...readStates("app1", "shop r2 200 104857600 268435456\nfilm r9 - - -\n"),
    ...readStates("app2", "shop r1 0 - 268435456\n"),
  ];
  expect(
    appTable(all, own, states)
      .split("\n")
      .map((line) => line.replaceAll(/ {2,}/g, "|")),
  ).toEqual([
    "app|release|ready|memory|answers|port|source",
    "shop|r2 (app1), r1 (app2)|1 of 2|100 of 256 MiB|http://main.test:81, https://shop.test|4000|x",
    "film|r9|-|-|http://film.test|static|../f",
  ]);
  expect(appTable(all, own, [])).toContain("shop  -");
  const halted = [...states.slice(0, 2), noAnswer("app2", "shop", true)];
  expect(appTable(all, own, halted)).toMatch(/^shop +r2 +1 of 2 /m);
});

test("the variables of an app are printed without the values of secrets", () => {
  const text = "HALO_APP=shop\nREDIS_URL='redis://default:x@h:1'\nLEVEL=`it's`\nPEPPER='p'\n";
  expect(envLines(text, ["PEPPER"], false)).toEqual([
    "HALO_APP=shop",
    "LEVEL=it's",
    "PEPPER=(hidden: --show)",
    "REDIS_URL=(hidden: --show)",
  ]);
  expect(envLines(text, ["PEPPER"], true)[2]).toBe("PEPPER=p");
  const own = `{B: '\${A}', C: '\${PGPASSWORD}', D: '\${PORT}'}`;
  const [app] = parseApps(`apps: {shop: {source: x, secrets: [A], env: ${own}}}`);
  expect(secretNames(app?.entry ?? { source: "" })).toEqual(["A", "B", "C"]);
});

test("a secret's value is one line that a file of settings can hold", () => {
  for (const value of ["", "  ", "a\nb", "a\tb", "'`\"", "a ", "a salt=b"])
    expect(() => refuseValue(value), value).toThrow("the value");
  for (const value of ["it's", "a b", "100 %", "é"]) expect(() => refuseValue(value)).not.toThrow();
});

test("a rollback's words are an app, a release, or both", () => {
  const all = parseApps("apps: {shop: {source: x}, film: {source: x}}");
  const words = (...given: string[]) => {
    const { app, release } = target(given, all);
    return [app.name, release];
  };
  expect(words()).toEqual(["shop", undefined]);
  expect(words("film")).toEqual(["film", undefined]);
  expect(words("20261128T120000Z-abc")).toEqual(["shop", "20261128T120000Z-abc"]);
  expect(words("film", "20261128T120000Z-abc")).toEqual(["film", "20261128T120000Z-abc"]);
  expect(() => words("halo")).toThrow("there is no app halo");
  expect(() => words("film", "a", "b")).toThrow("one app and one release at a time");
});
