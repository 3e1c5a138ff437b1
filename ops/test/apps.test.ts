import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { envLines } from "../apps/env.ts";
import { appTable } from "../apps/table.ts";
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
    shop,
    "a-b-c9": { ...shop, port: 4000 },
  };
  type Plan = Record<keyof App | "metrics_ports" | "migrate_sql" | "candidate_unit" | "cron_units", unknown>;
  const plans = filter<Record<string, Plan>>("apps", "app_plans", given);
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
    expect(read.map(({ cronUnits }) => cronUnits)).toEqual(Object.values(plans).map(({ cron_units }) => cron_units));
    expect(read.map(({ migrations }) => migrations)).toEqual(
      Object.values(plans).map(({ migrate_sql }) => migrate_sql),
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
      { domain: "film.test", ports: [80], paths: ["/"], service: "film" },
    ]);
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

test("the table of apps has the sites that each answers", () => {
  const all = parseApps(
    "apps: {shop: {source: x, port: 4000, domains: [shop.test]}, film: {source: ../f, static: dist, domains: [film.test]}}",
  );
  const own: Site[] = [
    { domain: "main.test", ports: [81], paths: ["/"], service: "shop" },
    { domain: "shop.test", ports: [80], paths: ["/"], service: "shop" },
    { domain: "film.test", ports: [80], paths: ["/"] },
  ];
  expect(
    appTable(all, own)
      .split("\n")
      .map((line) => line.replaceAll(/ {2,}/g, "|")),
  ).toEqual([
    "app|answers|port|source",
    "shop|http://main.test:81, http://shop.test|4000|x",
    "film|http://film.test|static|../f",
  ]);
});

test("the variables of an app are printed without the values of secrets", () => {
  const text = "HALO_APP=shop\nREDIS_URL='redis://default:x@h:1'\nLEVEL=`it's`\nPEPPER='p'\n";
  expect(envLines(text, ["PEPPER"], false)).toEqual([
    "HALO_APP=shop",
    "REDIS_URL=(hidden: --show)",
    "LEVEL=it's",
    "PEPPER=(hidden: --show)",
  ]);
  expect(envLines(text, ["PEPPER"], true)[3]).toBe("PEPPER=p");
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
