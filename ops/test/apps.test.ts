import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { type App, apps, findApp, parseApps } from "../cluster/apps.ts";
import { firewallServices, serviceLogs } from "../cluster/services.ts";
import { counterApp, parseSites, sites } from "../cluster/sites.ts";
import { root } from "../lib/paths.ts";
import { target } from "../releases/rollout.ts";
import { filter, filterEach } from "./support/filter.ts";

const groups = {
  all: ["front", "app1", "app2"],
  balancers: ["front"],
  backends: ["app1", "app2"],
  monitoring: ["front"],
};
const demo = { source: ".", start: "app/src/main.ts", port: 3100 };
const shop = { source: "../shop", start: "server.js" };
const problems = (given: unknown, where: object = groups, of: unknown = []) =>
  filter<string[]>("apps", "app_problems", given, where, {}, of);
const of = (...texts: string[]) => texts.map((text) => `apps.yml: shop: ${text}`);

test("the committed apps, and none, are right", () => {
  const committed = (file: string) => parse(readFileSync(join(root, "ansible/group_vars/all", file), "utf8"));
  expect(problems(committed("apps.yml").apps, groups, committed("sites.yml").sites)).toEqual([]);
  expect(problems({})).toEqual([]);
  expect(problems(null)).toEqual([]);
});

const entries: [string, object, string[]][] = [
  ["the fewest keys", {}, []],
  ["every key", { port: 1024, workers: 8, health: "version", redis: "shared", domains: ["shop.test"] }, []],
  [
    "an unknown key",
    { ports: [80] },
    of("unknown key ports; an app's keys are source, start, port, workers, health, migrate, redis, postgres, domains"),
  ],
  ["no source", { source: undefined }, of("it needs source: a folder, . for this one")],
  [
    "no program",
    { start: undefined },
    of("start is the path of a program in a release, of letters, digits, and ._-/; it is missing"),
  ],
  ...["/server.js", "../server.js", "a/../../b", "-e", "server.js; id", "$(id)"].map(
    (start): [string, object, string[]] => [
      `the program ${start}`,
      { start },
      of(`start is the path of a program in a release, of letters, digits, and ._-/; it is ${start}`),
    ],
  ),
  ...[80, 65_530, "4000", true].map((port): [string, object, string[]] => [
    `the port ${JSON.stringify(port)}`,
    { port },
    of(`port is a number from 1024 to 65526; it is ${port === true ? "True" : port}`),
  ]),
  ["nine workers", { workers: 9 }, of("workers is a number from 1 to 8; it is 9")],
  ["a path as health", { health: "/up" }, of("health is version; it is /up")],
  [
    "migrations of another kind",
    { migrate: "knex migrate:latest", postgres: "shared" },
    of("migrate is {sql: FOLDER}, a folder of its source; it is knex migrate:latest"),
  ],
  ["migrations without a database", { migrate: { sql: "db" } }, of("migrate needs postgres")],
  ["a store of its own", { redis: true }, of("redis is shared, or left out; it is True")],
  [
    "a domain with capitals",
    { domains: ["Shop.test"] },
    of("a domain is a host name in small letters; it is Shop.test"),
  ],
  ["one domain", { domains: "shop.test" }, of("domains is a list of host names; it is shop.test")],
];

const maps: [string, unknown, string[]][] = [
  ["a list", [demo], ["apps.yml: apps has to be a map from a name to the app's keys"]],
  ["nothing behind a name", { shop: null }, of("it has to have keys such as source; it is empty")],
  ...["Shop", "1shop", "shop_2", "a".repeat(22)].map((name): [string, unknown, string[]] => [
    `the name ${name}`,
    { [name]: shop },
    [`apps.yml: ${name}: a name is a small letter, then at most 20 small letters, digits and dashes`],
  ]),
  ...["redis", "nginx", "metrics", "runtime"].map((name): [string, unknown, string[]] => [
    `the name ${name}`,
    { [name]: shop },
    [`apps.yml: ${name}: Halo has something of that name itself (firewall_services, service_logs); choose another one`],
  ]),
  [
    "a host's name",
    { app1: shop },
    ["apps.yml: app1: a host has that name, and commands take either; choose another one"],
  ],
];

const all: [string, unknown, string[]][] = [
  ...entries.map(([name, change, found]): [string, unknown, string[]] => [
    `an app with ${name}`,
    { demo, shop: { ...shop, ...change } },
    found,
  ]),
  ...maps.map(([name, given, found]): [string, unknown, string[]] => [`apps with ${name}`, given, found]),
];
// One start of Python for all of them.
const answers = filterEach<string[]>(
  "apps",
  "app_problems",
  all.map(([, given]) => [given, groups, {}, []]),
);
test.each(all.map(([name, , found], i): [string, string[], string[]] => [name, found, answers[i] ?? []]))(
  "%s",
  (_, found, answer) => {
    expect(answer).toEqual(found);
  },
);

describe("two apps", () => {
  test.each([3100, 3101, 3103, 3098])("with ports that overlap, the second from %i, are both named", (port) => {
    expect(problems({ demo: { ...demo, workers: 2 }, shop: { ...shop, port } })).toEqual([
      expect.stringMatching(/^apps\.yml: demo and shop both have port 31\d\d; give one of them another port/),
    ]);
  });

  test("with one domain, and an app with the domain of a site, are named", () => {
    const both = { demo: { ...demo, domains: ["a.test"] }, shop: { ...shop, domains: ["a.test", "b.test"] } };
    expect(problems(both, groups, [{ domain: "b.test", ports: [80] }])).toEqual([
      "apps.yml: b.test can be answered by one only, and sites.yml and shop claim it",
      "apps.yml: a.test can be answered by one only, and demo and shop claim it",
    ]);
  });

  test("cannot share the database", () => {
    const claim = { postgres: "shared" };
    expect(problems({ demo: { ...demo, ...claim }, shop: { ...shop, ...claim } })).toEqual([
      "apps.yml: the shared database can be one app's only, and demo and shop claim it",
    ]);
  });
});

test("a port of something else on a backend is refused, one on another host is not", () => {
  const ports = Object.fromEntries(
    Object.entries(firewallServices()).map(
      ([
        name,
        {
          ports: [port],
        },
      ]) => [name, port],
    ),
  );
  const node = { ...shop, port: ports.node };
  expect(problems({ shop: node })).toEqual(of(`port ${ports.node} is the service node's`));
  const grafana = { ...shop, port: ports.grafana };
  const site = [{ domain: "a.test", ports: [ports.grafana] }];
  expect(problems({ shop: grafana }, groups, site)).toEqual([]);
  const one = { all: ["front"], balancers: ["front"], backends: ["front"], monitoring: ["front"] };
  expect(problems({ shop: grafana }, one, site)).toEqual(
    of(
      `port ${ports.grafana} is the service grafana's`,
      `port ${ports.grafana} is the site a.test's, on the same host`,
    ),
  );
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
  type Plan = Record<keyof App | "metrics_ports" | "migrate", unknown>;
  const plans = filter<Record<string, Plan>>("apps", "app_plans", given);
  const read = parseApps(JSON.stringify({ apps: given }));

  test("on every key and name that both have", () => {
    const same = ["name", "source", "domains", "port", "unit", "candidate", "user", "root", "settings", "state", "www"];
    const pick = (plan: object) => Object.fromEntries(Object.entries(plan).filter(([key]) => same.includes(key)));
    expect(read.map(pick)).toEqual(Object.values(plans).map(pick));
    expect(Object.keys(pick(plans.shop ?? {}))).toHaveLength(same.length);
    expect(read.map(({ metricsPorts }) => metricsPorts)).toEqual(
      Object.values(plans).map(({ metrics_ports }) => metrics_ports),
    );
    expect(read.map(({ migrations }) => migrations)).toEqual(Object.values(plans).map(({ migrate }) => migrate));
  });

  test("on the sites of the domains", () => {
    const all = filter<{ domain: string; ports: number[] }[]>(
      "apps",
      "with_app_sites",
      parse(readFileSync(join(root, "ansible/group_vars/all/sites.yml"), "utf8")).sites,
      filter("apps", "app_plans", parse(readFileSync(join(root, "ansible/group_vars/all/apps.yml"), "utf8")).apps),
    );
    expect(all.map(({ domain }) => domain)).toEqual(sites().map(({ domain }) => domain));
    const [film] = filter<object[]>("apps", "with_app_sites", [], { film: { name: "film", domains: ["film.test"] } });
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

test("wrong entries are read as far as they can be: their problems are app_problems'", () => {
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
  expect(() => findApp(undefined, [])).toThrow("it has no app");
});

test("the committed apps are services with logs of their own, and the counter's is one of them", () => {
  for (const { name, port, unit } of apps()) {
    expect(firewallServices()[name]?.ports).toEqual([port]);
    expect(serviceLogs()[name]?.units[0]).toBe(unit);
  }
  expect(apps().map(({ name }) => name)).toContain(counterApp().name);
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
