import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { filter, plugins } from "./support/filter.ts";
import { checkPlaybook } from "./support/playbook.ts";

const groups: Record<string, string[]> = {
  all: ["front", "app1", "app2"],
  balancers: ["front"],
  backends: ["app1", "app2"],
  redis: ["front"],
  postgres: ["front"],
  monitoring: ["front"],
};
const hostvars: Record<string, object> = {
  front: { private_ip: "10.0.0.1" },
  app1: { private_ip: "10.0.0.2" },
  app2: { private_ip: "10.0.0.3" },
};

test.each<[string, object, object, string[]]>([
  ["a right inventory", {}, {}, []],
  ["a missing group", { backends: undefined }, {}, ["group backends has no host"]],
  ["no host for Redis", { redis: [] }, {}, ["group redis has no host"]],
  [
    "no group monitoring",
    { monitoring: undefined },
    {},
    ["group monitoring is missing; it may have no host: {hosts: {}}"],
  ],
  ["monitoring without a host", { monitoring: [] }, {}, []],
  [
    "two hosts with Redis",
    { redis: ["front", "app1"] },
    {},
    ["group redis has more than one host, and there can be one only: front, app1"],
  ],
  ["no address", {}, { app1: {} }, ["app1 needs private_ip, an IPv4 address; it has none"]],
  ["a name as address", {}, { app1: { private_ip: "app1" } }, ["app1 needs private_ip, an IPv4 address; it has app1"]],
  [
    "an address used twice",
    {},
    { app2: { private_ip: "10.0.0.2" } },
    ["app1 and app2 have the same private_ip 10.0.0.2"],
  ],
])("inventory: %s", (_, changedGroups, changedHosts, problems) => {
  const args = [
    { ...groups, ...changedGroups },
    { ...hostvars, ...changedHosts },
  ];
  expect(filter("validate", "inventory_problems", ...args)).toEqual(problems);
});

const services = {
  ssh: { ports: [22], hosts: ["all"], from: ["any"] },
  http: { ports: [80], hosts: ["balancers"], from: ["any"] },
  app: { ports: [4000], hosts: ["backends"], from: ["balancers"] },
  redis: { ports: [4001], hosts: ["redis"], from: ["backends"] },
  lost: { ports: [9], hosts: ["nowhere"], from: ["balancers"] },
  prometheus: { ports: [4002], hosts: ["monitoring"], from: ["balancers"] },
};
const apps = {
  demo: { source: ".", domains: [], static: null },
  film: { source: "../film", domains: [], static: null },
  pages: { source: "../pages", domains: [], static: { folder: "dist" } },
};
const counter = { domain: "a.test", role: "counter", ports: [80], paths: { "/": { service: "app" } } };
const docs = { domain: "docs.test", ports: [80], any_name_ports: [8090], paths: { "/": { files: "/srv/docs" } } };
const of = (...problems: string[]) => problems.map((problem) => `sites.yml: docs.test${problem}`);

test.each<[string, object, string[]]>([
  ["a right one", {}, []],
  ["a service of the cluster", { paths: { "/": { service: "app" }, "/x": { web: "demo/counter" } } }, []],
  ["an index of the sites", { paths: { "/-/": { index: "all" } } }, []],
  [
    "an index at a path without a slash behind",
    { paths: { "/sites": { index: "all" } } },
    of(", /sites: index is all, at a path with a / behind; it is all"),
  ],
  [
    "an index of one app",
    { paths: { "/-/": { index: "demo" } } },
    of(", /-/: index is all, at a path with a / behind; it is demo"),
  ],
  ["no domain", { domain: undefined }, ["sites.yml: site 2 needs domain, a host name in small letters; it has none"]],
  [
    "a domain with capitals",
    { domain: "Docs" },
    ["sites.yml: Docs needs domain, a host name in small letters; it has Docs"],
  ],
  ["a domain twice", { domain: "a.test" }, ["sites.yml: a.test is defined 2 times"]],
  [
    "an unknown key",
    { port: 80, colour: "red" },
    of(
      " has the unknown key port; ports is one",
      " has the unknown key colour; a site's keys are domain, role, ports, any_name_ports, tls, certificate, key, redirect, hsts, absent, login, paths",
    ),
  ],
  ["an unknown tls", { tls: "yes" }, of(": tls is one of local, acme, files, off; it is yes")],
  [
    "hsts below .test",
    { hsts: true },
    of(": hsts would keep browsers away from the name below .test for a year; take it out"),
  ],
  ["a redirect to nowhere", { tls: false, redirect: true }, of(": redirect needs a certificate, and tls is off")],
  ["a key without files", { key: "a.key" }, of(": key is read with tls: files alone")],
  [
    "files that are missing",
    { tls: "files", certificate: "/absent.crt" },
    of(
      ": certificate is the path of a file on this machine; it is /absent.crt",
      ": key is the path of a file on this machine; it is missing",
    ),
  ],
  [
    "the port of https",
    { ports: [80, 443] },
    of(": 443 is the port of https (tls_ports), where each site with tls answers; take it out of ports"),
  ],
  ["an unknown role", { role: "shop" }, of(": role is one of counter, workshop, metrics; it is shop")],
  [
    "a role twice",
    { role: "counter" },
    ["sites.yml: the role counter can be one site's only, and a.test and docs.test claim it"],
  ],
  [
    "Prometheus under no role",
    { paths: { "/": { service: "prometheus" } } },
    of(" leads to Prometheus and needs role: metrics; without it its pages count as the visitors' requests"),
  ],
  ["Prometheus under its role", { role: "metrics", paths: { "/": { service: "prometheus" } } }, []],
  ["a login of two people", { login: { people: ["ayu", "budi.2"] } }, []],
  ...[
    { user: "a", password: "short" },
    { people: [] },
    { people: ["ayu", "ayu"] },
    { people: ["../ayu"] },
    { people: ["ayu lestari"] },
    { people: "ayu" },
    { people: ["ayu"], password: "long enough" },
    "ayu",
  ].map((login): [string, object, string[]] => [
    `the login ${JSON.stringify(login)}`,
    { login },
    of(
      ": login is {user, password} or {people: [NAME, ...]}; a name of letters, digits, . _ and -, the password of 12 characters or more",
    ),
  ]),
  ["no port", { ports: [], any_name_ports: undefined }, of(" needs ports or any_name_ports")],
  ["a text as port", { ports: ["80"] }, of(": 80 is no port")],
  ["a port too high", { ports: [65536] }, of(": 65536 is no port")],
  ["a port of SSH's", { ports: [22] }, of(": port 22 is the service ssh's")],
  ["no paths", { paths: {} }, of(" needs paths")],
  [
    "a path without a slash",
    { paths: { x: { service: "app" } } },
    of(", x: a path begins with / and has no space, quotation mark, ; or brace, and no part .."),
  ],
  [
    "a path out of the site",
    { paths: { "/../x": { service: "app" } } },
    of(", /../x: a path begins with / and has no space, quotation mark, ; or brace, and no part .."),
  ],
  ...(["5", "192.168.56.10", "a.5", `${"a".repeat(64)}.test`, "a.test\n"] as const).map(
    (domain): [string, object, string[]] => [
      `the domain ${domain}`,
      { domain },
      [`sites.yml: ${domain} needs domain, a host name in small letters; it has ${domain}`],
    ],
  ),
  [
    "a port twice",
    { ports: [80, 8090], any_name_ports: [8090, 80] },
    of(
      ": port 80 stands in ports and any_name_ports more than once",
      ": port 8090 stands in ports and any_name_ports more than once",
    ),
  ],
  ["a port of a service on the balancer's host", { ports: [4001] }, of(": port 4001 is the service redis's")],
  ["a port of a service on other hosts", { ports: [4000] }, []],
  ...["(unclosed", 'a"; }', "a\nb", 5].map((pattern): [string, object, string[]] => [
    `the pattern ${pattern}`,
    { absent: ["robots", pattern] },
    of(`: absent has regular expressions without quotation marks; ${pattern} is none`),
  ]),
  ["hsts of another kind", { hsts: "maybe" }, of(": hsts is true or false; it is maybe")],
  [
    "two answers",
    { paths: { "/": { web: "demo/counter", files: "/srv" } } },
    of(', / needs one of service, states, web, files and index; it has {"web": "demo/counter", "files": "/srv"}'),
  ],
  ["no answer", { paths: { "/": null } }, of(", / needs one of service, states, web, files and index; it has {}")],
  [
    "an unknown service",
    { paths: { "/": { service: "shop" } } },
    of(", /: there is no service shop in firewall_services; there are ssh, http, app, redis, lost, prometheus"),
  ],
  [
    "a service of an unknown group",
    { paths: { "/": { service: "lost" } } },
    of(", /: the service lost is on the group nowhere, which the inventory does not have"),
  ],
  [
    "a closed service",
    { paths: { "/": { service: "redis" } } },
    of(", /: the service redis is closed to the balancers; put balancers into its `from` in firewall_services"),
  ],
  ["the states of a service", { paths: { "/": { service: "app" }, "/x.json": { states: "app/state" } } }, []],
  [
    "the states of an unknown service",
    { paths: { "/x.json": { states: "shop/state" } } },
    of(", /x.json: there is no service shop in firewall_services; there are ssh, http, app, redis, lost, prometheus"),
  ],
  [
    "the states of a closed service",
    { paths: { "/x.json": { states: "redis/state" } } },
    of(", /x.json: the service redis is closed to the balancers; put balancers into its `from` in firewall_services"),
  ],
  ...["app", "app/a b", "app/a;b", "/state", ["app/state"]].map((states): [string, object, string[]] => [
    `the states ${states}`,
    { paths: { "/x.json": { states } } },
    of(
      `, /x.json: states is NAME/PATH, a service and a path of letters, digits, . _ / and -; it is ${typeof states === "string" ? states : "['app/state']"}`,
    ),
  ]),
  ["a folder of no release", { paths: { "/": { web: "demo/shop" } } }, of(", /: there is no folder app/web/shop")],
  ["a folder of an app from elsewhere", { paths: { "/": { web: "film/shop" } } }, []],
  ["a static app", { paths: { "/": { web: "pages" } } }, []],
  [
    "a folder of a static app",
    { paths: { "/": { web: "pages/shop" } } },
    of(", /: web is pages, because that app is static; it is pages/shop"),
  ],
  [
    "an app that is not static",
    { paths: { "/": { web: "film" } } },
    of(", /: web is film/FOLDER, because that app is not static; it is film"),
  ],
  ...["counter", "shop/counter", "demo/../x", "demo/a;b"].map((web): [string, object, string[]] => [
    `the folder ${web}`,
    { paths: { "/": { web } } },
    of(`, /: web is APP/FOLDER, or APP of a static one, where APP is one of demo, film, pages; it is ${web}`),
  ]),
  [
    "a relative folder",
    { paths: { "/": { files: "srv" } } },
    of(", /: files is an absolute path without a / behind, space, quotation mark, ; or brace; it is srv"),
  ],
])("site: %s", (_, change, problems) => {
  const args = [[counter, { ...docs, ...change }], services, groups, apps, join(plugins, "../.."), [443]];
  expect(filter("validate", "site_problems", ...args)).toEqual(problems);
});

test("sites: where a hook answers the CA in the DNS, tls: acme needs no port 80", () => {
  const site = { ...docs, domain: "docs.example", ports: [8080], tls: "acme" };
  const args = [[site], services, groups, apps, "/", [443]];
  const found = (hook: string) => filter("validate", "site_problems", ...args, hook);
  expect(found("")).toEqual([
    "sites.yml: docs.example: tls: acme needs port 80, where the CA asks for its challenge, or acme_dns_hook",
  ]);
  expect(found("~/hook")).toEqual([]);
});

test("sites: none, and a port that two would answer for any name", () => {
  expect(filter("validate", "site_problems", [], services, groups, apps, "/")).toEqual(["sites.yml: there is no site"]);
  const film = { ...apps, film: { ...apps.film, domains: ["film.test"] } };
  expect(filter("validate", "site_problems", [], services, groups, film, "/")).toEqual([]);
  const twin = { ...docs, domain: "b.test" };
  expect(filter("validate", "site_problems", [docs, twin], services, groups, apps, "/")).toEqual([
    "sites.yml: port 8090 can answer any name by one site only, and docs.test and b.test claim it",
  ]);
});

test.each<[string, unknown, string]>([
  ["a name alone", ["a.test"], "site 1 has to have keys such as domain; it is a.test"],
  [
    "a pattern alone",
    [{ ...docs, absent: "robots" }],
    "docs.test: absent has to be a list such as [robots]; it is robots",
  ],
  ["an empty item", [null], "site 1 has to have keys such as domain; it is empty"],
  ["a port alone", [{ ...docs, ports: 80 }], "docs.test: ports has to be a list such as [80]; it is 80"],
  ["a mapping", { docs }, "sites has to be a list"],
])("sites that cannot be read as such: %s", (_, sites, problem) => {
  expect(filter("validate", "shape_problems", sites, [443])).toEqual([`sites.yml: ${problem}`]);
});

test("a list of services is no service", () => {
  const site = { ...docs, paths: { "/": { service: ["app"] } } };
  expect(filter("validate", "site_problems", [site], services, groups, apps, "/")).toEqual(
    of(", /: there is no service ['app'] in firewall_services; there are ssh, http, app, redis, lost, prometheus"),
  );
});

test.each<[unknown, string]>([
  [[], "tls_ports has to be a list of ports such as [443]; it is []"],
  [443, "tls_ports has to be a list of ports such as [443]; it is 443"],
  [null, "tls_ports has to be a list of ports such as [443]; it is null"],
  ["foo", 'tls_ports has to be a list of ports such as [443]; it is "foo"'],
  [[99999], "tls_ports has to be a list of ports such as [443]; it is [99999]"],
  [[443, 443], "tls_ports has a port twice: [443, 443]"],
])("ports of https: %j", (ports, problem) => {
  expect(filter("validate", "shape_problems", [docs], ports)).toEqual([`sites.yml: ${problem}`]);
});

test("a port of https is no other service's", () => {
  const found = (ports: number[]) => filter("validate", "site_problems", [docs], services, groups, apps, "/", ports);
  expect(found([22, 4001])).toEqual([
    "sites.yml: tls_ports: port 22 is the service ssh's",
    "sites.yml: tls_ports: port 4001 is the service redis's",
  ]);
  expect(found([443, 4000])).toEqual([]);
});

test("Ansible prints each problem on a line of its own", () => {
  const folder = mkdtempSync(join(tmpdir(), "halo-filters-"));
  try {
    const tasks = join(plugins, "../parts/check_inventory.yml");
    const vars = {
      apps: { shop: {} },
      sites: [{ domain: "docs.test" }],
      app_plans: {},
      firewall_services: services,
      halo_root: "/",
      tls_ports: [443],
    };
    const play = { hosts: "localhost", gather_facts: false, vars, tasks: [{ import_tasks: tasks }] };
    writeFileSync(join(folder, "play.yml"), JSON.stringify([play]));
    const { stdout } = spawnSync("ansible-playbook", ["--inventory", "localhost,", join(folder, "play.yml")], {
      encoding: "utf8",
      env: {
        ...process.env,
        LC_ALL: "C.UTF-8",
        ANSIBLE_CONFIG: join(plugins, "../ansible.cfg"),
        ANSIBLE_FILTER_PLUGINS: plugins,
      },
    });
    expect(stdout).toMatch(
      /\n *apps\.yml: shop: source: is missing.*\n *sites\.yml: docs\.test needs ports or any_name_ports\n *sites\.yml: docs\.test needs paths\n *Fix: /,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("tls: acme of a name that nobody can own is refused, but not where the CA is one's own", () => {
  const site = { domain: "docs.test", ports: [80], tls: "acme", paths: { "/": { service: "demo" } } };
  const check = (vars: object) => {
    const { status, stdout } = checkPlaybook({ sites: [site, { ...site, domain: "a.com" }], ...vars });
    return [status, stdout];
  };
  const refused = /\n *tls: acme of docs\.test: Let's Encrypt certifies no name below \.test\n *Fix: /;
  expect(check({})).toEqual([2, expect.stringMatching(refused)]);
  expect(check({ acme_directory: "https://ca.docs.test/directory" })).toEqual([0, expect.anything()]);
});

test("a key that stands twice in a file of settings ends the run with its name", () => {
  const folder = mkdtempSync(join(tmpdir(), "halo-twice-"));
  try {
    mkdirSync(join(folder, "group_vars"));
    writeFileSync(join(folder, "hosts"), "localhost ansible_connection=local\n");
    writeFileSync(join(folder, "group_vars/all.yml"), "sites: []\ntls_ports: [443]\nsites: []\n");
    const { status, stderr } = spawnSync(
      "ansible",
      ["--inventory", join(folder, "hosts"), "localhost", "-m", "debug"],
      {
        encoding: "utf8",
        env: { ...process.env, LC_ALL: "C.UTF-8", ANSIBLE_CONFIG: join(plugins, "../ansible.cfg") },
      },
    );
    expect([status, stderr]).toEqual([
      expect.toSatisfy((code: number) => code !== 0),
      expect.stringMatching(/all\.yml[\s\S]*duplicate.*sites|duplicate.*sites[\s\S]*all\.yml/),
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a host gets the entries of its groups, and those of all hosts", () => {
  const units = { redis_exporter: { hosts: ["redis"] }, node: { hosts: ["all"] }, mtail: { hosts: ["balancers"] } };
  expect(filter("services", "on_groups", units, ["backends", "redis"])).toEqual({
    redis_exporter: { hosts: ["redis"] },
    node: { hosts: ["all"] },
  });
  expect(filter("services", "on_groups", { nginx: ["balancers"], acl: ["all"] }, [])).toEqual({ acl: ["all"] });
});

test("the roles' parts make one whole, and no role gives another one's parts", () => {
  const join = (...parts: object[]) => {
    const program = `${import.meta.dirname}/programs/join_parts.py`;
    const options = { input: JSON.stringify(parts), encoding: "utf8" } as const;
    return spawnSync("/usr/bin/python3", [program, `${plugins}/../vars_plugins`], options);
  };
  const redis = { firewall_services: { redis: { ports: [6379] } }, metrics_watched: ["redis-server"] };
  const nginx = { firewall_services: { http: { ports: [80] } }, metrics_watched: ["nginx"] };
  expect(JSON.parse(join(redis, nginx).stdout)).toEqual({
    firewall_services: { redis: { ports: [6379] }, http: { ports: [80] } },
    metrics_watched: ["redis-server", "nginx"],
  });
  expect(join(redis, redis).stderr).toMatch(/the file: firewall_services has redis from another role already\. Fix: /);
});

test("a rollback can go to a release that every backend has, none has marked, and every balancer can serve", () => {
  const folder = mkdtempSync(join(tmpdir(), "halo-filters-"));
  mkdirSync(join(folder, "r1.tar.gz")); // no file
  writeFileSync(join(folder, "r4.tar.gz"), "");
  const releases = "/opt/halo/apps/shop/releases";
  const facts = (...names: string[]) =>
    Object.fromEntries([["os", "debian 13"], ...names.map((name) => [`${releases}/${name}`, "present"])]);
  try {
    const another = { "/opt/halo/apps/shop-2/releases/r6": "present", "/opt/halo/apps/film/releases/r6": "present" };
    const backends = [
      { ...facts("r1", "r2", "r3", "r4", "r5"), ...another },
      { ...facts("r1", "r3", "r3.failed", "r4", "r5"), ...another },
    ];
    const balancers = [{ ...facts("r2", "r3", "r5"), ...another }];
    expect(filter("rollback", "rollback_candidates", backends, balancers, releases, folder)).toEqual(["r4", "r5"]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

const linked = (domain: string, more: object) => ({ domain, ports: [80], tls: "local", redirect: false, ...more });
const linkedSites = [
  linked("a.test", { role: "counter", paths: { "/": { service: "demo" }, "/-/": { index: "all" } } }),
  linked("metrics.a.test", {
    role: "metrics",
    redirect: true,
    login: { user: "a", password: "b" },
    paths: { "/": { web: "demo/metrics" }, "/prometheus/": { service: "prometheus" } },
  }),
  linked("b.test", {
    ports: undefined,
    any_name_ports: [8085],
    paths: { "/": { service: "shop" }, "/api/": { service: "demo" } },
  }),
  linked("c.test", { ports: [8080], paths: { "/": { web: "pages" } } }),
];
const linkedPlans = {
  demo: { runs: true },
  shop: { runs: true },
  pages: { runs: false },
  lonely: { runs: true },
};

test("the index has each site with its address and its apps, and then the apps without a site", () => {
  expect(filter("index", "index_entries", linkedSites, linkedPlans, [8443], ["metrics.a.test", "c.test"])).toEqual([
    { title: "Visit counter", url: "http://a.test", secure: "", domain: "a.test", login: false, apps: ["demo"] },
    {
      title: "Metrics",
      url: "https://metrics.a.test:8443",
      secure: "https://metrics.a.test:8443",
      domain: "metrics.a.test",
      login: true,
      apps: [],
    },
    {
      title: "shop, demo",
      url: "http://b.test:8085",
      secure: "",
      domain: "b.test",
      login: false,
      apps: ["shop", "demo"],
    },
    {
      title: "pages",
      url: "http://c.test:8080",
      secure: "https://c.test:8443",
      domain: "c.test",
      login: false,
      apps: [],
    },
    { title: "lonely", url: "", secure: "", domain: "", login: false, apps: ["lonely"] },
  ]);
});

test("the index has one address; without it there is none", () => {
  expect(filter("index", "index_url", linkedSites, [443], [])).toBe("http://a.test/-/");
  expect(filter("index", "index_url", linkedSites.slice(1), [443], [])).toBe("");
});

test("the index links a site by https as soon as it has its certificate", () => {
  const site = linked("a.test", { tls: "acme", redirect: true, paths: { "/-/": { index: "all" } } });
  const url = (secure: string[]) => filter("index", "index_url", [site], [443], secure);
  expect([url([]), url(["a.test"])]).toEqual(["http://a.test/-/", "https://a.test/-/"]);
});
