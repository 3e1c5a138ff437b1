import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { findHost } from "../../ops/cluster/hosts.ts";
import { firewallServices, joined } from "../../ops/cluster/services.ts";
import { counterApp, tlsPort } from "../../ops/cluster/sites.ts";
import { root } from "../../ops/lib/paths.ts";
import { shellScript } from "../../ops/lib/script.ts";
import { startLoad } from "../../ops/loadgen/load.ts";
import { ansible, backends, explainByJournals, on, until } from "../lib/hosts.ts";
import { balancerAddress, domain, request } from "../lib/http.ts";

// A real ACME server (Debian's pebble) on a backend; its port is a service of the firewall for the time of this file.
beforeEach(explainByJournals);
const place = mkdtempSync(join(tmpdir(), "halo-acme-"));
const [server = ""] = backends;
const { address } = findHost(server);
const { sites } = parse(readFileSync(join(root, "ansible/group_vars/all/sites.yml"), "utf8"));
const names = [`acme.${domain}`, `second.acme.${domain}`];
const settings = (domains: string[], more: object = {}) => ({
  sites: [
    ...sites,
    ...domains.map((name) => ({
      domain: name,
      ports: [80],
      tls: "acme",
      paths: { "/": { service: counterApp().name } },
    })),
  ],
  acme_directory: `https://${address}:14000/dir`,
  acme_directory_ca: join(place, "directory.crt"),
  firewall_services: {
    ...firewallServices(), // the apps'
    ...joined("firewall_services"),
    pebble: { ports: [14000, 15000], hosts: ["backends"], from: ["balancers"] },
  },
  ...more,
});
const play = (domains: string[], more?: object) => ansible("site.yml", "-e", JSON.stringify(settings(domains, more)));
const pebble = (...args: string[]) => on(server, shellScript(new URL("programs/pebble.sh", import.meta.url), ...args));
const serial = (name: string) =>
  on("balancer", `openssl x509 -noout -serial -in /etc/letsencrypt/live/${name}/fullchain.pem`);
const certbot = "certbot renew --quiet --force-renewal --no-random-sleep-on-renew";
const tryToRenew = (name: string) =>
  on("balancer", `REQUESTS_CA_BUNDLE=/etc/halo/acme-directory.crt timeout 60 ${certbot} --cert-name ${name}`);
/** Renews a certificate, and tries again where the server has refused a nonce twice. */
const renew = (name: string) =>
  until(`${name} is renewed`, 180_000, async () => {
    await tryToRenew(name);
    return true;
  });
let ca = "";
const answer = (name: string) =>
  request("/", {
    ...{ host: balancerAddress, port: 80, headers: { Host: name } },
  });

beforeAll(async () => {
  writeFileSync(join(place, "directory.crt"), `${await pebble("start", address)}\n`);
});
afterAll(async () => {
  await pebble("stop");
  const { code, output } = await ansible("site.yml");
  rmSync(place, { recursive: true, force: true });
  expect(code, output).toBe(0);
  // Given up with the sites.
  expect(await on("balancer", "ls /etc/letsencrypt/live | grep -v README || true")).toBe("");
});

describe("certificates of an ACME server", () => {
  test("two sites get theirs, and lead to https", async () => {
    const { code, output } = await play(names);
    expect(code, output).toBe(0);
    ca = await on("balancer", `curl -sf --cacert /etc/halo/acme-directory.crt https://${address}:15000/roots/0`);
    for (const name of names) {
      const { status, headers } = await answer(name);
      expect([name, status, headers.location]).toEqual([name, 308, `https://${name}/`]);
    }
    expect((await play(names)).output).toMatch(/balancer\s+: ok=\d+\s+changed=0/);
  });

  test("ten renewals under load lose no request of 20,000 on new connections", async () => {
    const [name = ""] = names;
    const load = startLoad({
      ...{ host: balancerAddress, port: tlsPort(), domain: name, tls: { servername: name, ca }, rate: 200 },
      ...{ fresh: true, path: "/-/renewal", most: 20_000 },
    });
    const seen = new Set([await serial(name)]);
    for (let i = 0; i < 10; i++) {
      await renew(name);
      seen.add(await serial(name));
    }
    await load.ended;
    expect(seen.size).toBe(11);
    // 404: the service has no such page, and counts no visit.
    expect(load.samples.filter(({ status }) => status !== 404).slice(0, 5)).toEqual([]);
    expect(load.samples).toHaveLength(20_000);
  });

  test("a server that is away costs nothing but the renewal", async () => {
    const [name = ""] = names;
    const before = await serial(name);
    await pebble("away");
    try {
      await expect(tryToRenew(name)).rejects.toThrow();
    } finally {
      await pebble("back");
    }
    expect(await serial(name)).toBe(before);
    expect((await answer(name)).status).toBe(308);
    await renew(name);
    expect(await serial(name)).not.toBe(before);
  });

  test("a name that leads elsewhere is reported with the CA's words, and its site answers by http", async () => {
    const lost = `lost.acme.${domain}`;
    // In place: in a container this file is a mount.
    const elsewhere = `cp /etc/hosts /run/halo-hosts; { grep -v ' ${lost}$' /run/halo-hosts; echo 127.0.0.1 ${lost}; } >/etc/hosts`;
    // site.yml would name the balancer for it: the server gets another address afterwards, before the certificate is requested again.
    const first = await play([...names, lost], { acme_wait: 1 });
    expect(first.code, first.output).toBe(2);
    await on(server, elsewhere);
    try {
      const where = ["--limit", "balancer,localhost"];
      const { code, output } = await ansible("site.yml", ...where, "-e", JSON.stringify(settings([...names, lost])));
      expect(code, output).toBe(2);
      expect(output).toMatch(new RegExp(`no certificate for ${lost}: .*(refused|connect|127\\.0\\.0\\.1)`));
      expect((await answer(lost)).status).toBe(200);
      for (const name of names) expect((await answer(name)).status).toBe(308);
    } finally {
      await on(server, "cat /run/halo-hosts >/etc/hosts; rm /run/halo-hosts");
    }
  });

  test("a profile gives certificates of days, which raise no alert", async () => {
    const { code, output } = await play(names, { acme_profile: "shortlived" });
    expect(code, output).toBe(0);
    expect(await on("balancer", "grep -v '^#' /var/lib/prometheus/node-exporter/halo-certificates.prom")).toBe(
      names.map((name) => `certificate_life_days{site="${name}"} 6`).join("\n"),
    );
  });
});
