import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { findHost, playbookWith, viaLab } from "../../ops/cluster/hosts.ts";
import { query } from "../../ops/cluster/prometheus.ts";
import { counterApp, tlsPort } from "../../ops/cluster/sites.ts";
import { root } from "../../ops/lib/paths.ts";
import { quote, shellScript, textOf, withInput } from "../../ops/lib/script.ts";
import { startLoad } from "../../ops/loadgen/load.ts";
import { ansible, backends, explainByJournals, must, on, sh, until } from "../lib/hosts.ts";
import { balancerAddress, counter, domain, request } from "../lib/http.ts";
import { changedInventory } from "../lib/inventory.ts";

// A real ACME server (Debian's pebble) on the balancer, with a DNS server of the test, and an nginx in front that can limit requests.
beforeEach(explainByJournals);
const place = mkdtempSync(join(tmpdir(), "halo-acme-"));
const folder = "/run/halo-pebble";
const program = (name: string) => new URL(`programs/${name}`, import.meta.url);
/** The lines that bring the server's files to a balancer. */
const files = ["dns_server.py", "acme-front.conf"].map((file) =>
  withInput(`install -d ${folder} && cat >${folder}/${file}`, textOf(program(file))),
);
const pebble = (...args: string[]) => on("balancer", shellScript(program("pebble.sh"), ...args));
/** Where a name leads, for the ACME server. */
const lead = (name: string, address: string) => on("balancer", `echo ${address} >${folder}/names/${name}.A`);
/** A host whose firewall drops every packet to port 80. */
const { address: elsewhere } = findHost(backends[0]);

const { sites } = parse(readFileSync(join(root, "ansible/group_vars/all/sites.yml"), "utf8"));
const names = [`acme.${domain}`, `second.acme.${domain}`];
const [first = ""] = names;
const paths = { "/": { service: counterApp().name } };
const siteOf = (name: string, ports = [80]) => ({ domain: name, ports, tls: "acme", paths });
/** The variables by which a balancer has sites of these names beside the others. */
const settings = (domains: string[], vars: object = {}, more: object[] = []) =>
  JSON.stringify({
    sites: [...sites, ...domains.map((each) => siteOf(each)), ...more],
    acme_directory: "https://127.0.0.1:14001/dir",
    acme_directory_ca: join(place, "directory.crt"),
    ...vars,
  });
const play = (...given: Parameters<typeof settings>) =>
  ansible("site.yml", "--limit", "balancer,localhost", "-e", settings(...given));
const unchanged = /balancer\s+: ok=\d+\s+changed=0/;
const serial = (name: string) =>
  on("balancer", `openssl x509 -noout -serial -in /etc/letsencrypt/live/${name}/fullchain.pem`);
const certbot = "certbot renew --quiet --force-renewal --no-random-sleep-on-renew";
const tryToRenew = (name: string, at = (line: string) => on("balancer", line)) =>
  at(`REQUESTS_CA_BUNDLE=/etc/halo/certbot/directory.crt timeout 60 ${certbot} --cert-name ${name}`);
/** Renews a certificate, and tries again where the server has refused a nonce twice. */
const renew = (...given: Parameters<typeof tryToRenew>) =>
  until(`${given[0]} is renewed`, 180_000, async () => {
    await tryToRenew(...given);
    return true;
  });
const answer = (name: string, port = 80) => request("/", { host: balancerAddress, port, headers: { Host: name } });
const lives = "/var/lib/prometheus/node-exporter/halo-certificates.prom";

beforeAll(async () => {
  for (const line of files) await on("balancer", line);
  writeFileSync(join(place, "directory.crt"), `${await pebble("start", balancerAddress)}\n`);
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
    for (const each of names) {
      const { status, headers } = await answer(each);
      expect([each, status, headers.location]).toEqual([each, 308, `https://${each}/`]);
    }
    // As where the monitoring is newer than the certificates.
    await on("balancer", `rm ${lives}`);
    expect((await play(names)).output).toMatch(/balancer\s+: ok=\d+\s+changed=1 /);
    const noted = await on("balancer", `cat ${lives}`);
    for (const each of names) expect(noted).toContain(`certificate_life_days{site="${each}"} 6\n`);
    expect(noted).toContain(`certificate_life_days{site="${domain}"} 90\n`);
    expect((await play(names)).output).toMatch(unchanged);
  });

  test("one of six days raises its alert below three tenths of them", () =>
    until("Prometheus has its bound", 120_000, async () => {
      const [bound] = await query(`certificate:bound:days{site="${first}"}`);
      return Math.abs((bound?.value ?? 0) - 1.8) < 0.01;
    }));

  test("ten renewals under load lose no request of 20,000 on new connections, half of which resume a session", {
    timeout: 600_000,
  }, async () => {
    const ca = await on(
      "balancer",
      "curl -sf --cacert /etc/halo/certbot/directory.crt https://127.0.0.1:15000/roots/0",
    );
    const load = startLoad({
      ...{ host: balancerAddress, port: tlsPort(), domain: first, tls: { servername: first, ca }, rate: 100 }, // a handshake costs 3 ms of a CPU
      ...{ fresh: true, path: "/-/renewal" },
    });
    const seen = new Set([await serial(first)]);
    try {
      for (let i = 0; i < 10; i++) {
        await renew(first);
        seen.add(await serial(first));
      }
      await until("20,000 requests have ended", 300_000, async () => load.samples.length >= 20_000);
    } finally {
      await load.stop();
    }
    expect(seen.size).toBe(11);
    // 404: the service has no such page, and counts no visit.
    expect(load.samples.filter(({ status }) => status !== 404).slice(0, 5)).toEqual([]);
    const resumed = load.samples.filter((sample) => sample.resumed).length / load.samples.length;
    expect(resumed).toBeGreaterThan(0.4);
    expect(resumed).toBeLessThan(0.6);
  });

  test("a server that is away costs nothing but the renewal", async () => {
    const before = await serial(first);
    await pebble("away");
    try {
      await expect(tryToRenew(first)).rejects.toThrow();
    } finally {
      await pebble("back");
    }
    expect(await serial(first)).toBe(before);
    expect((await answer(first)).status).toBe(308);
  });

  test("a failed renewal of the timer's unit raises its alert, and the next one succeeds", async () => {
    const before = await serial(first);
    // Due for all of its life.
    await on("balancer", `sed -i '1i renew_before_expiry = 30 days' /etc/letsencrypt/renewal/${first}.conf`);
    const failed = 'ALERTS{alertname="CertificateRenewalFailed", alertstate="firing"}';
    await pebble("away");
    try {
      await expect(on("balancer", "systemctl start certbot")).rejects.toThrow();
      await until("the alert fires", 120_000, async () => (await query(failed)).length > 0);
    } finally {
      await pebble("back");
    }
    await until("certbot.service renews it", 180_000, async () => {
      await on("balancer", "systemctl start certbot");
      return (await serial(first)) !== before;
    });
    await until("the alert is over", 120_000, async () => (await query(failed)).length === 0);
  });

  test("a server that limits requests is asked once, and its words are reported; the next run gets the certificate", async () => {
    const late = `late.acme.${domain}`;
    await pebble("limit");
    try {
      const { code, output } = await play([...names, late]);
      expect(code, output).toBe(2);
      expect(output).toMatch(new RegExp(`no certificate for ${late}: .*too many new orders recently`));
    } finally {
      await pebble("unlimit");
    }
    expect(await on("balancer", `grep -c 429 ${folder}/orders.log`)).toBe("1");
    expect((await answer(late)).status).toBe(200);
    for (const each of names) expect((await answer(each)).status).toBe(308);
    const { code, output } = await play([...names, late]);
    expect(code, output).toBe(0);
    expect((await answer(late)).status).toBe(308);
  });

  test("a name that leads elsewhere is reported with the CA's words, and its site answers by http", async () => {
    const lost = `lost.acme.${domain}`;
    await lead(lost, elsewhere);
    const { code, output } = await play([...names, lost]);
    expect(code, output).toBe(2);
    expect(output).toMatch(new RegExp(`no certificate for ${lost}: .*(timeout|deadline|refused|route)`, "i"));
    expect((await answer(lost)).status).toBe(200);
    for (const each of names) expect((await answer(each)).status).toBe(308);
  });

  test("a name that nobody reaches on port 80 gets its certificate by the DNS, and so does its renewal", async () => {
    const hidden = `hidden.acme.${domain}`;
    await lead(hidden, elsewhere);
    const [port = 0] = counter.ports.slice(-1);
    const hook = { acme_dns_hook: fileURLToPath(program("dns-hook.sh")) };
    const { code, output } = await play(names, hook, [siteOf(hidden, [port])]);
    expect(code, output).toBe(0);
    expect((await answer(hidden, port)).status).toBe(308);
    const before = await serial(hidden);
    await renew(hidden);
    expect(await serial(hidden)).not.toBe(before);
    // The hook has taken each challenge away.
    expect(await on("balancer", `ls ${folder}/names | grep -c TXT || true`)).toBe("0");
    expect(await on("balancer", "stat -c %a /etc/halo/certbot /etc/halo/certbot/dns-hook")).toBe("700\n700");
  });

  test("a certificate that has expired is requested again", async () => {
    const before = await serial(first);
    const live = `/etc/letsencrypt/live/${first}/fullchain.pem`;
    const expired = `openssl x509 -in ${live} -signkey /etc/letsencrypt/live/${first}/privkey.pem -not_before 20200101000000Z -not_after 20200201000000Z`;
    await on("balancer", `${expired} -out /run/expired.pem && cat /run/expired.pem >${live} && rm /run/expired.pem`);
    const { code, output } = await play(names);
    expect(code, output).toBe(0);
    expect(await serial(first)).not.toBe(before);
    expect((await answer(first)).status).toBe(308);
  });

  // Debian 13's Pebble has no profiles, and certbot 4.0 does not note the one that it asked for.
  test("a profile is asked for once", async () => {
    const { code, output } = await play(names, { acme_profile: "shortlived" });
    expect(code, output).toBe(0);
    expect(output).not.toMatch(unchanged);
    expect((await play(names, { acme_profile: "shortlived" })).output).toMatch(unchanged);
  });

  test("each of two balancers gets its own, and renews it, although the CA asks the other one", {
    timeout: 1_200_000,
  }, async () => {
    const [name, address] = ["balancer2", "192.168.56.20"];
    const env = changedInventory(place, "two", (text) =>
      text.replace(/^( +)balancer: .*\n/m, `$&$1${name}: {private_ip: ${address}, memory: 768, cpus: 1}\n`),
    );
    const at = (line: string) => must(["ops/run", "ssh", name, "sudo", "sh", "-c", quote(line)], env);
    const site = `both.acme.${domain}`;
    try {
      await must(["ops/run", "up"], env);
      for (const line of files) await at(line);
      const own = await at(shellScript(program("pebble.sh"), "start", balancerAddress));
      await lead(site, address);
      const ca = join(place, "both.crt");
      writeFileSync(ca, `${readFileSync(join(place, "directory.crt"), "utf8")}${own}\n`);
      const both = () =>
        sh(
          playbookWith(
            env.HALO_INVENTORY,
            ...["site.yml", "--limit", "balancers,localhost", "-e"],
            settings([...names, site], { acme_directory_ca: ca }),
          ),
        );
      const { code, output } = await both();
      expect(code, output).toBe(0);
      for (const host of [balancerAddress, address]) {
        const { status, headers } = await request("/", { host, port: 80, headers: { Host: site } });
        expect([host, status, headers.location]).toEqual([host, 308, `https://${site}/`]);
      }
      const read = `openssl x509 -noout -serial -in /etc/letsencrypt/live/${site}/fullchain.pem`;
      const before = [await on("balancer", read), await at(read)];
      expect(before[0]).not.toBe(before[1]);
      expect((await both()).output).not.toMatch(/changed=[1-9]/);
      await renew(site);
      await renew(site, at);
      expect(await on("balancer", read)).not.toBe(before[0]);
      expect(await at(read)).not.toBe(before[1]);
    } finally {
      await must(viaLab(["vagrant", "destroy", "--force", name]), env);
    }
  });
});
