import { describe, expect, test } from "vitest";
import { portOf, withPorts } from "../cluster/services.ts";
import { counterSite, loginOf, parseSites, secureUrlOf, siteFor, siteOf, urlOf } from "../cluster/sites.ts";

test("a site has its name and every port, those for any name too", () => {
  const text =
    "sites: [{domain: a.test, ports: [80, 8080]}, {domain: b.test, ports: [80], any_name_ports: [80, 8085], paths: {/api/: {service: app}}}]";
  expect(parseSites(text)).toEqual([
    { domain: "a.test", ports: [80, 8080], paths: [], tls: "local", redirect: false },
    { domain: "b.test", ports: [80, 8085], paths: ["/api/"], tls: "local", redirect: false },
  ]);
});

test("a site with people is asked as the first of them, whose password has to exist", () => {
  const [site] = parseSites("sites: [{domain: people.test, ports: [80], login: {people: [ayu, budi]}}]");
  expect([site.people, site.redirect]).toEqual([["ayu", "budi"], true]);
  expect(() => loginOf(site)).toThrow("people.test has no password for ayu yet");
  const [open] = parseSites("sites: [{domain: open.test, ports: [80]}]");
  expect(loginOf(open)).toEqual({});
});

test("a site with one user is asked as that one, unless Ansible makes the password", () => {
  const login = (password: string) =>
    loginOf(parseSites(`sites: [{domain: one.test, ports: [80], login: {user: desk, password: "${password}"}}]`)[0]);
  expect(login("long-enough-1")).toEqual({ authorization: `Basic ${btoa("desk:long-enough-1")}` });
  expect(login("{{ metrics_password }}")).toEqual({});
});

test("a login of digits is the text that is written", () => {
  const [first] = parseSites("sites: [{domain: one.test, ports: [80], login: {user: 12, password: 081234567890}}]");
  expect(loginOf(first)).toEqual({ authorization: `Basic ${btoa("12:081234567890")}` });
  const [people] = parseSites("sites: [{domain: people.test, ports: [80], login: {people: [7]}}]");
  expect(() => loginOf(people)).toThrow("people.test has no password for 7 yet");
});

test.each([
  ["sites: [", /cannot be read/],
  ["{}", /it has no site/],
  ["sites: []", /it has no site/],
  ["sites: [{ports: [80]}]", /site 1 needs domain/],
  ["sites: [{domain: a.test}]", /a\.test needs ports/],
])("the sites %j are refused", (text, message) => expect(() => parseSites(text)).toThrow(message));

test("an app's sites are on the ports that the first site has under its name, or else on HTTP's", () => {
  const portsOf = (text: string) =>
    parseSites(text, (ports) => [{ domain: "shop.test", ports, paths: ["/"], tls: "off", redirect: false }]).at(-1)
      ?.ports;
  expect(portsOf("sites: [{domain: a.test, ports: [81], any_name_ports: [8085]}]")).toEqual([81]);
  expect(portsOf("sites: []")).toEqual([80]);
});

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
    expect(secureUrlOf({ domain: "a.test", ports: [80], paths: [], tls: "local", redirect: false }, 443)).toBe(
      "https://a.test",
    );
    expect(secureUrlOf({ domain: "a.test", ports: [80], paths: [], tls: "files", redirect: true }, 8443)).toBe(
      "https://a.test:8443",
    );
    expect(secureUrlOf({ domain: "a.test", ports: [80], paths: [], tls: "off", redirect: false }, 443)).toBeUndefined();
    expect(urlOf({ domain: "a.test", ports: [80, 81], paths: [], tls: "local", redirect: false })).toBe(
      "http://a.test",
    );
  });
  test("without roles the first site is the counter, and no site has the metrics", () => {
    const plain = parseSites("sites: [{domain: a.test, ports: [80]}, {domain: metrics.a.test, ports: [80]}]");
    expect(counterSite(plain).domain).toBe("a.test");
    expect(siteOf("metrics", plain)).toBeUndefined();
  });
});

describe("the services of firewall_services", () => {
  const entry = { hosts: ["backends"], from: ["balancers"] };
  const given = {
    app: { ...entry, ports: [4000, 4001] },
    http: { ...entry, ports: "{{ site_ports }}" },
    metrics: { ...entry, ports: "{{ range(1) }}" },
  };
  const all = withPorts(given, { http: [81, 82], metrics: [4100] });
  test("have their ports, also where Ansible computes them", () => {
    expect(portOf("app", all)).toBe(4000);
    expect(all.http).toEqual({ ...entry, ports: [81, 82] });
    expect(portOf("metrics", all)).toBe(4100);
  });
  test("are refused without a port, and an unknown one is named", () => {
    expect(() => withPorts(given, { http: [81] })).toThrow(/no port for metrics/);
    expect(() => portOf("redis", all)).toThrow(/has no redis/);
  });
});
