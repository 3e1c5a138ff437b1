import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { filter, plugins } from "./support/filter.ts";

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
  [
    "a short password",
    { login: { user: "a", password: "short" } },
    of(": login is {user, password}; the user of letters, digits, . _ and -, the password of 12 characters or more"),
  ],
  ["no port", { ports: [], any_name_ports: undefined }, of(" needs ports or any_name_ports")],
  ["a text as port", { ports: ["80"] }, of(": 80 is no port")],
  ["a port too high", { ports: [65536] }, of(": 65536 is no port")],
  ["a port of SSH's", { ports: [22] }, of(": port 22 is the service ssh's")],
  ["no paths", { paths: {} }, of(" needs paths")],
  [
    "a path without a slash",
    { paths: { x: { service: "app" } } },
    of(", x: a path begins with / and has no space, quotation mark, ; or brace"),
  ],
  [
    "two answers",
    { paths: { "/": { web: "demo/counter", files: "/srv" } } },
    of(', / needs one of service, web and files; it has {"web": "demo/counter", "files": "/srv"}'),
  ],
  ["no answer", { paths: { "/": null } }, of(", / needs one of service, web and files; it has {}")],
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
  ["an empty item", [null], "site 1 has to have keys such as domain; it is empty"],
  ["a port alone", [{ ...docs, ports: 80 }], "docs.test: ports has to be a list such as [80]; it is 80"],
  ["a mapping", { docs }, "sites has to be a list"],
  [
    "a list of services",
    [{ ...docs, paths: { "/": { service: ["app"] } } }],
    "docs.test, /: there is no service ['app'] in firewall_services; there are ssh, http, app, redis, lost, prometheus",
  ],
])("sites that cannot be read as such: %s", (_, sites, problem) => {
  expect(filter("validate", "site_problems", sites, services, groups, apps, "/")).toEqual([`sites.yml: ${problem}`]);
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
