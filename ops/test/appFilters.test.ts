import { expect, test } from "vitest";
import { defaultPort, parseApps } from "../cluster/apps.ts";
import { filter, filterEach } from "./support/filter.ts";

const groups = {
  all: ["front", "app1", "app2"],
  balancers: ["front"],
  backends: ["app1", "app2"],
  redis: ["front"],
  postgres: ["front"],
};
const hostvars = { front: { memory: 1536 }, app1: { memory: 768 }, app2: { memory: 1024 } };
const sites = [{ domain: "main.test", ports: [81], paths: {} }];
const services = {
  http: { ports: [81], hosts: ["balancers"], from: ["any"] },
  redis: { ports: [4001], hosts: ["redis"], from: ["backends"] },
  search: { ports: [21501], hosts: ["all"], from: ["backends"] },
};
const source = "https://git.test/shop.git";
const problems = (apps: unknown) => filter<string[]>("apps", "app_problems", apps, groups, hostvars, sites, services);

/** A test for each row, with one call of Python for all: a name, a map of apps, the problems. */
function rows(title: string, table: [string, unknown, string[]][]): void {
  const args = [groups, hostvars, sites, services];
  const found = filterEach<string[]>(
    "apps",
    "app_problems",
    table.map(([, apps]) => [apps, ...args]),
  );
  table.forEach(([name, , expected], i) => {
    test(`${title}: ${name}`, () => expect(found[i]).toEqual(expected));
  });
}
const of = (...texts: string[]) => texts.map((text) => `apps.yml: shop: ${text}`);
const options = "is true, false, shared or a map with";

test("a map with every key, and none, has no problem", () => {
  const shop = {
    source: "git@git.test:you/shop.git",
    ref: "v1.2/next",
    path: "packages/api",
    node: "22.21.1",
    build: "vite build",
    build_env: { API: "/api", CI: true, LEVEL: 3 },
    scripts: ["bcrypt", "@prisma/engines"],
    start: "node server.js",
    mode: "cluster",
    workers: 2,
    port: 21100,
    health: "/healthz",
    candidate: false,
    migrate: { sql: "migrations" },
    cron: {
      clean: { at: "hourly", run: "node jobs/clean.js" },
      report: { at: "Mon..Fri *-*-1,15 06..20:0/15:00", run: "node --run report", timeout: "90m" },
    },
    env: { URL: "$" + "{DATABASE_URL}?max=3", KEY: "$" + "{TOKEN}", NODE_ENV: "development" },
    secrets: ["TOKEN"],
    redis: { memory: 32, evict: true },
    postgres: { pool: 4 },
    domains: ["shop.test", "www.shop.test"],
    websocket: true,
    sticky: true,
    timeout: "30s",
    body: "20m",
    hosts: "app1",
    memory: 200,
    cpu: 0.5,
  };
  const pages = { source: "../pages", static: { folder: "dist", spa: false, immutable: ["assets"] }, build: false };
  expect(problems({ shop, pages, site: { source, static: "build" }, one: { source, health: "version" } })).toEqual([]);
  for (const none of [{}, null]) expect(problems(none)).toEqual([]);
});

rows("the map", [
  ["a list", ["shop"], ["apps.yml: apps has to be a map from names to keys"]],
  ["a name alone", { shop: null }, of("it has to have keys such as source; it is empty")],
  [
    "a name with capitals",
    { Shop: { source } },
    ["apps.yml: Shop: a name has 1 to 21 small letters, digits and -, and begins with a letter"],
  ],
  [
    "a name with a line end",
    { "shop\n": { source } },
    ["apps.yml: shop\n: a name has 1 to 21 small letters, digits and -, and begins with a letter"],
  ],
  [
    "a name of a verb's",
    { runtime: { source } },
    ["apps.yml: runtime: the name runtime is Halo's own; choose another one"],
  ],
  [
    "a host's name",
    { app1: { source } },
    ["apps.yml: app1: the name app1 is a host's or a group's in the inventory; choose another one"],
  ],
  [
    "a group's name",
    { backends: { source } },
    ["apps.yml: backends: the name backends is a host's or a group's in the inventory; choose another one"],
  ],
  [
    "a service's name",
    { search: { source } },
    ["apps.yml: search: the name search is a service's in firewall_services; choose another one"],
  ],
]);

test("a service that is the app's own, with its port, is no other one", () => {
  const own = { ...services, shop: { ports: [21100], hosts: ["backends"], from: ["balancers"] } };
  expect(filter("apps", "app_problems", { shop: { source, port: 21100 } }, groups, hostvars, sites, own)).toEqual([]);
});

const job = { at: "hourly", run: "node clean.js" };
const entries: [string, object, string[]][] = [
  ["no source", { source: null }, ["source: is missing; give a folder or a git address"]],
  [
    "an option as source",
    { source: "--upload-pack=x" },
    ["source: has to be a folder or a git address; it is --upload-pack=x"],
  ],
  [
    "a password in the address",
    { source: "https://me:secret@git.test/a.git" },
    [
      "source: has a login in its address, and this file is committed; take it out, and use an SSH key or git's credential helper",
    ],
  ],
  ["a number as ref", { ref: 2.5 }, ["ref: has to be a text; write ref: '2.5', with quotation marks"]],
  ["an option as ref", { ref: "-x" }, ["ref: has to be a branch, a tag or a commit; it is -x"]],
  [
    "a folder outside",
    { path: "a/../../b" },
    ["path: has to be a folder inside the source, without a / in front and without ..; it is a/../../b"],
  ],
  [
    "a major version of Node",
    { node: 22 },
    ["node: has to be an exact version from 20.12.0 on, such as 22.21.1; it is 22"],
  ],
  [
    "an old Node",
    { node: "18.20.8" },
    ["node: has to be an exact version from 20.12.0 on, such as 22.21.1; it is 18.20.8"],
  ],
  ["a CPU as text", { cpu: "50%" }, ["cpu: is a number of CPUs from 0.05 on; it is 50%"]],
  ["build: true", { build: true }, ["build: has to be one command, or false; it is true"]],
  ["a list as variables", { build_env: ["A"] }, ["build_env: has to be a map such as {NAME: value}; it is ['A']"]],
  [
    "a variable's name with -",
    { build_env: { "a-b": 1 } },
    ["build_env: a-b is no variable's name; it has letters, digits and _"],
  ],
  ["a value of two lines", { env: { A: "1\n2" } }, ["env: A has to be a text of one line or a number"]],
  ["no value", { env: { A: null } }, ["env: A has to be a text of one line or a number"]],
  [
    "a package with a version",
    { scripts: ["a@1 b"] },
    ["scripts: has to be a list of packages' names such as [bcrypt], each once; it is ['a@1 b']"],
  ],
  ["start of two lines", { start: "a\nb" }, ["start: has to be one command; it is a\nb"]],
  ["an unknown mode", { mode: "threads" }, ["mode: is one of cluster, fork; it is threads"]],
  ["eight workers", { workers: 8 }, ["workers: is a number of 1 to 7; it is 8"]],
  ["a port as text", { port: "21100" }, ["port: is a number of 1024 to 32758; it is 21100"]],
  ["a port that the kernel gives away", { port: 32759 }, ["port: is a number of 1024 to 32758; it is 32759"]],
  [
    "a health without /",
    { health: "healthz" },
    ["health: has to be a path such as /healthz, or version; it is healthz"],
  ],
  ["candidate: maybe", { candidate: "maybe" }, ["candidate: is true or false; it is maybe"]],
  ["a map as migrate", { migrate: { run: "x" } }, ["migrate: has to be {sql: FOLDER} with a folder inside the app"]],
  [
    "npm in migrate",
    { migrate: "npx knex migrate:latest" },
    [
      "migrate: runs on a backend, which has no npm; give node --run SCRIPT, or the command behind it; it is npx knex migrate:latest",
    ],
  ],
  [
    "a command as cron",
    { cron: "node clean.js" },
    ["cron: has to be a map such as {clean: {at: hourly, run: node clean.js}}; it is node clean.js"],
  ],
  [
    "a job's name with a dot",
    { cron: { "a.b": job } },
    ["cron: a.b is no name; it has 1 to 21 small letters, digits and -"],
  ],
  [
    "a job without a time",
    { cron: { clean: { run: "node clean.js" } } },
    ["cron: clean has to have at and run, such as {at: hourly, run: node clean.js}; it is {'run': 'node clean.js'}"],
  ],
  [
    "an unknown key of a job",
    { cron: { clean: { ...job, host: "app1" } } },
    ["cron: clean: host is unknown here; the keys of a job are at, run, timeout"],
  ],
  [
    "npm in a job",
    { cron: { clean: { ...job, run: "npx clean" } } },
    [
      "cron: clean: run runs on a backend, which has no npm; give node --run SCRIPT, or the command behind it; it is npx clean",
    ],
  ],
  [
    "a job that may take two days",
    { cron: { clean: { ...job, timeout: "2880m" } } },
    ["cron: clean: timeout is a time of 1s to 1440m such as 10m; it is 2880m"],
  ],
  [
    "a time that YAML has read as a number",
    { cron: { clean: { ...job, at: 780 } } },
    ["cron: clean: at has to be a text; put it into quotation marks, such as at: '13:00'; it is 780"],
  ],
  ...["0 3 * * *", "*-*-* *:*:*", "03:00 Europe/Berlin", "25:00", "*-13-01", ""].map(
    (at): [string, object, string[]] => [
      `the time ${at}`,
      { cron: { clean: { ...job, at } } },
      [
        `cron: clean: at has to be times of systemd's OnCalendar in whole minutes, such as hourly, '*-*-* 03:00:00' or 'Mon..Fri *:0/15'; it is ${at || "nothing"}`,
      ],
    ],
  ),
  [
    "a secret twice",
    { secrets: ["A", "A"] },
    ["secrets: has to be a list of variables' names such as [SESSION_SECRET], each once; it is ['A', 'A']"],
  ],
  ["a number as redis", { redis: 64 }, [`redis: ${options} memory, evict; it is 64`]],
  [
    "an unknown option of redis",
    { redis: { size: 1 } },
    ["redis: size is unknown here; the options are memory, evict"],
  ],
  ["too little memory for redis", { redis: { memory: 8 } }, ["redis: memory is a number of MiB from 16 on; it is 8"]],
  ["a large pool", { postgres: { pool: 51 } }, ["postgres: pool is a number of 1 to 50; it is 51"]],
  [
    "a static folder outside",
    { static: "../dist" },
    ["static: has to be a folder inside the app that its build fills, or {folder, spa, immutable}; it is ../dist"],
  ],
  [
    "a domain with capitals",
    { domains: ["Shop.test"] },
    ["domains: has to be a list of host names in small letters such as [shop.test], each once; it is ['Shop.test']"],
  ],
  ["websocket: 1", { websocket: 1 }, ["websocket: is true or false; it is 1"]],
  ["sticky: ip", { sticky: "ip" }, ["sticky: is true or false; it is ip"]],
  ["a number as timeout", { timeout: 30 }, ["timeout: is a time of 1ms to 60m such as 30s; it is 30"]],
  ["no limit of the body", { body: "0" }, ["body: is a size such as 512k or 20m; it is 0"]],
  ["no host", { hosts: [] }, ["hosts: is all, a backend's name or a list of names, each once; it is nothing"]],
  [
    "an unknown host",
    { hosts: ["app1", "app3"] },
    ["hosts: app3 is no backend of the inventory; there are app1, app2"],
  ],
  [
    "a host of another group",
    { hosts: "front" },
    ["hosts: front is no backend of the inventory; there are app1, app2"],
  ],
  ["little memory", { memory: 63 }, ["memory: is a number of MiB from 64 on; it is 63"]],
  [
    "two wrong keys",
    { mode: 1, body: 1 },
    ["mode: is one of cluster, fork; it is 1", "body: is a size such as 512k or 20m; it is 1"],
  ],
];
rows(
  "one entry",
  entries.map(([name, keys, expected]) => [name, { shop: { source, ...keys } }, of(...expected)]),
);

test("an unknown key is named with the one that is meant, or with all", () => {
  expect(problems({ shop: { source, domain: "shop.test" } })).toEqual([
    "apps.yml: shop: domain: unknown key; domains is one",
  ]);
  expect(problems({ shop: { source, zone: "shop.test" } })).toEqual([
    expect.stringMatching(/^apps\.yml: shop: zone: unknown key; an app's keys are source, ref, .*, memory, cpu$/),
  ]);
});

const given = "DATABASE_URL, PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE";
const together: [string, object, string[]][] = [
  [
    "static with a process and stores",
    { static: "dist", start: "node a.js", redis: true, postgres: true, candidate: true },
    [
      "static: nothing of the app runs, so start, candidate, redis, postgres would have no effect; take static out, or the others",
    ],
  ],
  ["static without one", { static: "dist", redis: false, candidate: false }, []],
  [
    "a build's variables without a build",
    { build: false, build_env: { A: 1 } },
    ["build_env: without a build (build: false) it would have no effect; take one of the two out"],
  ],
  [
    "two processes that do not share",
    { mode: "fork", workers: 2 },
    ["workers: in mode fork two processes cannot share the port; take workers out, or use mode: cluster"],
  ],
  ["SQL without a database", { migrate: { sql: "sql" } }, ["migrate: SQL files need a database; give postgres: true"]],
  ["PORT of its own", { env: { PORT: 4000 } }, ["env: PORT is Halo's to set; take it out"]],
  ["a setting of Halo's", { secrets: ["HALO_GATE"] }, ["secrets: HALO_GATE is Halo's to set; take it out"]],
  [
    "an address beside postgres",
    { env: { PGHOST: "a" }, postgres: true },
    ["env: PGHOST comes from postgres; take one of the two out"],
  ],
  ["an address without postgres", { env: { PGHOST: "a" } }, []],
  ["a secret in env", { env: { A: 1 }, secrets: ["A"] }, ["secrets: A is in env as well; take one of the two out"]],
  [
    "a value of redis without it",
    { env: { A: "$" + "{REDIS_URL}" } },
    ["env: A uses REDIS_URL, which needs redis: true"],
  ],
  [
    "a value that nobody gives",
    { env: { A: "$" + "{PGHOSTS}" }, postgres: true, secrets: ["B"] },
    [`env: A uses PGHOSTS, which Halo does not give; it gives PORT, HOST, NODE_ENV, ${given}, B`],
  ],
];
rows(
  "keys together",
  together.map(([name, keys, expected]) => [name, { shop: { source, ...keys } }, of(...expected)]),
);

const pairs: [string, object, object, string[]][] = [
  [
    "the same port",
    { port: 21100 },
    { port: 21100 },
    ["port: it takes 21100 to 21102, and 21100 is desk's as well; give one of the two another port"],
  ],
  [
    "a worker's port",
    { port: 21103 },
    { port: 21100, workers: 3 },
    ["port: it takes 21103 to 21105, and 21103 is desk's as well; give one of the two another port"],
  ],
  [
    "a Redis' port",
    { port: 21108, redis: true },
    { port: 21100, redis: true },
    ["port: it takes 21108 to 21110 and 21117, and 21109 is desk's as well; give one of the two another port"],
  ],
  ["none", { port: 21110 }, { port: 21100, workers: 7 }, []],
  [
    "a service's port",
    { port: 21500 },
    { port: 21100 },
    ["port: it takes 21500 to 21502, and 21501 is the service search's; give the app another port"],
  ],
  ["a service's port on other hosts", { port: 4001 }, { port: 21100 }, []],
  [
    "the same domain",
    { domains: ["a.test"] },
    { domains: ["b.test", "a.test"] },
    ["domains: a.test is the app desk's already; take one of the two out"],
  ],
  [
    "a site's domain",
    { domains: ["main.test"] },
    {},
    ["domains: main.test is a site of sites.yml already; take one of the two out"],
  ],
  [
    "a CA that asks for its challenge where nobody answers",
    { domains: ["a.test"], tls: "acme" },
    {},
    [
      "tls: acme needs port 80, where the CA asks for its challenge; put it into ports of the first site, or set acme_dns_hook",
    ],
  ],
  [
    "more memory than a host has",
    { memory: 500 },
    { memory: 300, hosts: "app1" },
    ["memory: app1 has 768 MiB, and its apps may take 800 (desk 300, shop 500); lower one, or name hosts for one"],
  ],
  ["all of the memory", { memory: 468 }, { memory: 300 }, []],
  ["memory on different hosts", { memory: 700, hosts: "app1" }, { memory: 1000, hosts: "app2" }, []],
];
rows(
  "two apps",
  pairs.map(([name, shop, desk, expected]) => [
    name,
    { desk: { source, ...desk }, shop: { source, ...shop } },
    of(...expected),
  ]),
);

test("a static app takes no port and no memory, and a host of somebody's own may have no memory in the inventory", () => {
  const pages = { source, static: "dist" };
  expect(problems({ desk: { source, port: defaultPort("pages"), memory: 768 }, pages })).toEqual([]);
  const apps = { desk: { source, memory: 900 } };
  expect(filter("apps", "app_problems", apps, groups, { app1: {}, app2: {} }, sites, services)).toEqual([]);
});

type Plan = Record<string, unknown>;
const plan = (keys: object) =>
  filter<Record<string, Plan>>("apps", "app_plans", { "my-shop": { source, ...keys } }, groups)["my-shop"];

test("a plan has every key, and the names that follow from the app's", () => {
  const port = defaultPort("my-shop");
  expect(plan({})).toEqual({
    name: "my-shop",
    source,
    ref: "",
    path: ".",
    node: "",
    build: null,
    build_env: {},
    scripts: [],
    start: "",
    mode: "",
    workers: 1,
    port,
    health: "/",
    candidate: true,
    migrate: "",
    migrate_sql: "",
    processes: {},
    cron: {},
    writable: [],
    env: {},
    secrets: [],
    redis: false,
    postgres: false,
    static: null,
    domains: [],
    tls: null,
    websocket: false,
    sticky: false,
    timeout: "2s",
    timeout_ms: 2000,
    body: "1m",
    hosts: ["app1", "app2"],
    memory: 256,
    cpu_percent: 0,
    runs: true,
    own_stores: [],
    runtime: "/opt/halo/runtime/current",
    gate: "health",
    preload: true,
    candidate_port: port + 1,
    metrics_port: port + 2,
    metrics_ports: [port + 2],
    redis_port: port + 9,
    connections: 0,
    user: "halo-my-shop",
    group: "halo-my-shop",
    unit: "halo@my-shop",
    candidate_unit: "halo-candidate@my-shop",
    cron_units: "halo-cron@my-shop.*",
    root: "/opt/halo/apps/my-shop",
    releases: "/opt/halo/apps/my-shop/releases",
    settings: "/etc/halo/my-shop.env",
    state: "/var/lib/halo/my-shop",
    pm2_home: "/var/lib/halo/my-shop/pm2",
    pages: "/var/www/halo/my-shop",
    database: "halo_my_shop",
  });
});

test.each<[string, object, Plan]>([
  ["the strict gate", { health: "version" }, { health: "/readyz", gate: "version", preload: false }],
  ["a script", { start: "node  src/main.ts --all", mode: "fork" }, { start: "src/main.ts --all", mode: "fork" }],
  ["another command, which the build resolves", { start: "npm start" }, { start: "" }],
  ["options of Node's, which the build resolves", { start: "node --run start" }, { start: "" }],
  ["three workers", { workers: 3, port: 21100 }, { metrics_ports: [21102, 21103, 21104], redis_port: 21109 }],
  ["one backend", { hosts: "app2" }, { hosts: ["app2"] }],
  ["a Node of its own", { node: "22.21.1" }, { node: "22.21.1", runtime: "/opt/halo/runtime/node-22.21.1" }],
  ["half a CPU", { cpu: 0.5 }, { cpu_percent: 50 }],
  ["stores", { redis: { evict: true }, postgres: true }, { redis: { memory: 64, evict: true }, postgres: { pool: 8 } }],
  ["a store that is off", { redis: false }, { redis: false }],
  [
    "pages",
    { static: "dist/" },
    { static: { folder: "dist", spa: true, immutable: [] }, runs: false, hosts: [], candidate: false },
  ],
  ["SQL files", { migrate: { sql: "sql" }, postgres: true }, { migrate: "", migrate_sql: "sql" }],
  [
    "jobs",
    { cron: { clean: { at: "03:00", run: "node clean.js", timeout: "90s" } } },
    {
      cron: {
        clean: {
          run: "node clean.js",
          calendar: "03:00 UTC",
          seconds: 90,
          unit: "halo-cron@my-shop.clean",
          timer: "halo-cron@my-shop.clean.timer",
        },
      },
    },
  ],
  ["times", { timeout: "2m" }, { timeout: "2m", timeout_ms: 120_000 }],
  [
    "YAML's values",
    { env: { A: true, B: 1, C: "x" }, path: "./a/" },
    { env: { A: "true", B: "1", C: "x" }, path: "a" },
  ],
])("a plan: %s", (_, keys, expected) => {
  expect(plan(keys)).toMatchObject(expected);
});

test("a plan's env gets the values of Halo's variables and of the secrets", () => {
  const env = plan({
    env: { URL: "http://$" + "{HOST}:$" + "{PORT}/$HOME", KEY: "$" + "{TOKEN}" },
    secrets: ["TOKEN"],
  });
  expect(filter("apps", "app_env", env, { HOST: "10.0.0.2", PORT: 21100, TOKEN: "a\\1b" })).toEqual({
    URL: "http://10.0.0.2:21100/$HOME",
    KEY: "a\\1b",
  });
});

test("commands and playbooks agree on an app's port and domains", () => {
  const names = ["a", "shop", "my-shop", "demo", "zz-9"];
  const map = Object.fromEntries(names.map((name) => [name, { source, domains: [`${name}.test`] }]));
  const plans = filter<Record<string, Plan>>("apps", "app_plans", { ...map, fixed: { source, port: 21100 } }, groups);
  for (const app of parseApps(JSON.stringify({ apps: { ...map, fixed: { source, port: 21100 } } }))) {
    expect(app.port).toBe(plans[app.name]?.port);
    expect(app.domains).toEqual(plans[app.name]?.domains);
  }
});
