import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { findHost, ssh } from "../../ops/lib/cluster.ts";
import { domains, hosts, inGroup, root, sites } from "../../ops/lib/project.ts";
import { backends, explainByJournals, must, on, sh } from "../lib/hosts.ts";
import { knock } from "../lib/http.ts";

beforeEach(explainByJournals);
const [first = "", second = ""] = backends;
// The list that the firewall is made from.
const services: Record<string, { ports: number[]; hosts: string[]; from: string[] }> = parse(
  readFileSync(join(root, "ansible/group_vars/all/firewall.yml"), "utf8"),
).firewall_services;
if (services.http) services.http.ports = [...new Set(sites().flatMap((site) => site.ports))];
if (services.metrics) services.metrics.ports = [9464]; // of as many workers as there are

test("npm run verify is green", async () => {
  await must(["npm", "run", "-s", "verify"]);
});

describe("ports", () => {
  test("from outside only the ports of the list are open, and the others are silent", async () => {
    for (const host of hosts()) {
      const listening = (await on(host.name, "ss -Htln"))
        .split("\n")
        .map((line) => Number(line.match(/:(\d+)\s/)?.[1]));
      const ports = Object.values(services);
      const wanted = new Set(
        ports
          .filter((each) => each.from.includes("any") && each.hosts.some((group) => host.groups.includes(group)))
          .flatMap((each) => each.ports),
      );
      // Grafana is there only where its packages could be had.
      const absent = !listening.includes(services.grafana?.ports[0] ?? 0);
      // A port on which nothing listens cannot be open: those that do, the list's, and one that is nobody's say all.
      const asked = [...new Set([...listening, ...ports.flatMap((each) => each.ports), 9])];
      const found = await Promise.all(asked.map(async (port) => [port, await knock(host.address, port)]));
      const state = (port: number) =>
        !wanted.has(port) ? "silent" : absent && port === services.grafana?.ports[0] ? "refused" : "open";
      expect({ host: host.name, found }).toEqual({ host: host.name, found: asked.map((port) => [port, state(port)]) });
    }
  });

  test("the service is open to the balancer alone, Redis to the backends alone, metrics to the monitoring host alone", async () => {
    const reach = async (from: string, to: string, port: number) =>
      (await sh(ssh(findHost(from), `timeout 2 bash -c 'exec 3<>/dev/tcp/${findHost(to).address}/${port}'`))).code ===
      0;
    expect(await reach("balancer", first, 3000)).toBe(true);
    expect(await reach(first, "balancer", 6379)).toBe(true);
    expect(await reach(second, first, 3000)).toBe(false);
    expect(await reach("balancer", second, 6379)).toBe(false);
    expect(await reach("balancer", first, 9464)).toBe(true);
    expect(await reach(second, first, 9464)).toBe(false);
  });
});

describe("the hosts", () => {
  test("every name of the inventory and of the sites resolves on every host", async () => {
    for (const host of hosts()) {
      for (const other of hosts())
        expect(await on(host.name, `getent ahostsv4 ${other.name}`)).toContain(other.address);
      for (const name of domains())
        expect(await on(host.name, `getent ahostsv4 ${name}`)).toContain(inGroup("balancers")[0]?.address);
    }
  });

  test("the pm2 command shows the real processes, whoever asks", async () => {
    for (const line of ["pm2 ls", "sudo -u halo pm2 ls"])
      expect(await on(first, line)).toMatch(/halo.*cluster.*online/);
  });

  test("PM2 and one idle worker take under 200 MB together", async () => {
    // PSS: shared pages are counted once over the processes that share them.
    const kib = await on(
      first,
      'for p in $(pgrep -u halo); do awk "/^Pss:/{print \\$2}" /proc/$p/smaps_rollup; done | awk "{s+=\\$1} END {print s}"',
    );
    console.log(`PM2 and one worker on ${first}: ${(Number(kib) / 1024).toFixed(0)} MiB (PSS)`);
    expect(Number(kib) * 1024).toBeLessThan(200e6);
  });

  test("no password is in a process list, a unit or PM2's own data", async () => {
    const secret = await on(first, "sed -n s/^REDIS_PASSWORD=//p /etc/halo/halo.env");
    expect(secret.length).toBeGreaterThan(20);
    expect(await on(first, "ps auxeww; systemctl cat halo; pm2 jlist; journalctl -u halo --no-pager")).not.toContain(
      secret,
    );
  });
});
