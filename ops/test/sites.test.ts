import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { firewallServices, portOf } from "../cluster/services.ts";
import { counterSite, parseSites, siteFor, siteOf, sites, urlOf } from "../cluster/sites.ts";
import { root } from "../lib/paths.ts";

test("a site has its name and every port, those for any name too", () => {
  const text =
    "sites: [{domain: a.test, ports: [80, 8080]}, {domain: b.test, ports: [80], any_name_ports: [80, 8085], paths: {/api/: {service: app}}}]";
  expect(parseSites(text)).toEqual([
    { domain: "a.test", ports: [80, 8080], paths: [] },
    { domain: "b.test", ports: [80, 8085], paths: ["/api/"] },
  ]);
});

test.each([
  ["sites: [", /cannot be read/],
  ["{}", /it has no site/],
  ["sites: []", /it has no site/],
  ["sites: [{ports: [80]}]", /site 1 needs domain/],
  ["sites: [{domain: a.test}]", /a\.test needs ports/],
])("the sites %j are refused", (text, message) => expect(() => parseSites(text)).toThrow(message));

describe("with other names, ports and order", () => {
  const all = parseSites(`sites:
  - {domain: status.example, role: metrics, ports: [8443], paths: {/: {web: metrics}}}
  - {domain: garage.example, role: workshop, ports: [81], paths: {/: {web: workshop}, /api/: {service: app}}}
  - {domain: visits.example, role: counter, ports: [8000, 80], paths: {/: {service: app}}}`);
  test("a site is found by its role", () => {
    expect(siteOf("metrics", all)?.domain).toBe("status.example");
    expect(counterSite(all).domain).toBe("visits.example");
  });
  test("a path belongs to the site that names it, any other one to the counter", () => {
    expect(siteFor("/api/customers", all).domain).toBe("garage.example");
    expect(siteFor("/nothing", all).domain).toBe("visits.example");
  });
  test("an address has the site's first port, unless that is 80", () => {
    expect(urlOf(counterSite(all), "192.0.2.1")).toBe("http://192.0.2.1:8000");
    expect(urlOf({ domain: "a.test", ports: [80, 81], paths: [] })).toBe("http://a.test");
  });
  test("without roles the first site is the counter, and no site has the metrics", () => {
    const plain = parseSites("sites: [{domain: a.test, ports: [80]}, {domain: metrics.a.test, ports: [80]}]");
    expect(counterSite(plain).domain).toBe("a.test");
    expect(siteOf("metrics", plain)).toBeUndefined();
  });
});

test("a service's port is read from firewall_services", () => {
  const entry = { hosts: ["backends"], from: ["balancers"] };
  const services = { app: { ...entry, ports: [4000, 4001] }, http: { ...entry, ports: "{{ site_ports }}" } };
  expect(portOf("app", services)).toBe(4000);
  expect(() => portOf("http", services)).toThrow(/no port for http/);
  expect(() => portOf("redis", services)).toThrow(/no port for redis/);
});

test("no command has a service's port or a site's name of its own", () => {
  const ports = Object.values(firewallServices())
    .flatMap<number | string>((service) => service.ports)
    .filter((port) => Number(port) > 1024);
  const names = sites().map(({ domain }) => domain.replaceAll(".", "\\."));
  const literal = new RegExp(
    `(?<![\\d.])(${ports.join("|")})(?![\\d.])|\\b(${names.join("|")})\\b|startsWith\\("(metrics|workshop)\\.`,
  );
  // `npm run dev` has no hosts. The bare server of the bench takes the port of a release's candidate.
  const own = [/^ops\/dev\b.*3000/, /^bench\/visits\/measure\.ts.*barePort = 3001/];
  const found = globSync(["ops/**/*.{ts,py,sh,sql,mjs}", "bench/**/*.{ts,lua,sh}"], { cwd: root })
    .filter((file) => !file.startsWith("ops/test/"))
    .flatMap((file) =>
      readFileSync(join(root, file), "utf8")
        .split("\n")
        .filter((line) => literal.test(line))
        .map((line) => `${file}: ${line.trim()}`),
    )
    .filter((line) => !own.some((each) => each.test(line)));
  expect(ports).toContain(9090);
  expect(found).toEqual([]);
});
