import { beforeEach, describe, expect, test } from "vitest";
import { findHost, remote, ssh } from "../../ops/cluster/hosts.ts";
import { hosts, inGroup } from "../../ops/cluster/inventory.ts";
import { firewallServices, portOf } from "../../ops/cluster/services.ts";
import { domains } from "../../ops/cluster/sites.ts";
import { shellScript } from "../../ops/lib/script.ts";
import { app } from "../lib/app.ts";
import { ansible, backends, explainByJournals, must, on, sh, until } from "../lib/hosts.ts";
import { knock } from "../lib/http.ts";
import { atNight } from "../lib/night.ts";
import { metricsLogin } from "../lib/prometheus.ts";

beforeEach(explainByJournals);
const [first = "", second = ""] = backends;

test("npm run ssh -- HOST CMD has a terminal where its caller has one", async () => {
  const command = ["ops/run", "ssh", first, "tty"];
  expect((await sh(command)).output).toContain("not a tty");
  expect(await must(["python3", "-c", "import pty, sys; pty.spawn(sys.argv[1:])", ...command])).toMatch(
    /^\/dev\/pts\//,
  );
});

test("npm run verify is green, also where a host's login shell has words of its own, and leaves no password in a journal", async () => {
  const since = Math.floor(Date.now() / 1000);
  const user = (...command: string[]) => must(remote(findHost(first), ...command));
  await user("sed", "-i.kept", "'1i echo hi'", ".bashrc");
  try {
    // Ansible and the other commands read a host's output each in their own way.
    await must(["npm", "run", "-s", "verify"]);
    expect(await must(["npm", "run", "-s", "releases"])).toMatch(new RegExp(`serving on .*${first}`));
  } finally {
    await user("mv", ".bashrc.kept", ".bashrc");
  }
  for (const { name } of hosts()) {
    const journal = await on(name, `journalctl --no-pager --output=cat --since=@${since}`);
    expect(journal).toContain("LOGINS="); // sudo's environment
    expect(journal.includes(metricsLogin().password)).toBe(false);
  }
});

describe("the firewall", () => {
  // One run of site.yml for both: another takes half a minute.
  atNight(
    "is loaded again where a run was cut short before it kept the rules, and dpkg finishes an installation that was cut short",
    async () => {
      // dpkg is killed while it configures a package.
      await on(first, shellScript(new URL("programs/cut-installation.sh", import.meta.url)));
      expect(await on(first, "apt-get check 2>&1 || true")).toMatch(/dpkg was interrupted|half-configured/);
      const undo = "--on-active=600 --unit=halo-firewall-undo systemctl disable --now halo-firewall";
      await on(first, `systemd-run --quiet --collect ${undo}`);
      const { code, output } = await ansible("site.yml", "--limit", `${first},localhost`);
      const state = await on(
        first,
        "dpkg --status halo-cut | grep Status; ls /usr/sbin/policy-rc.d 2>&1; dpkg --purge halo-cut >/dev/null; rm -f /run/halo-cut",
      );
      expect(code, output).toBe(0);
      expect(state).toMatch(/install ok installed\n.*No such file/);
      expect(await on(first, "systemctl is-active halo-firewall-undo.timer halo-firewall || true")).toBe(
        "inactive\nactive",
      );
    },
  );

  test("returns after Debian's nftables.service has flushed every table", async () => {
    try {
      for (const how of ["restart", "reload"]) {
        await on(first, `systemctl ${how} nftables`);
        await until("the rules are loaded", 5000, async () => !!(await on(first, "nft list table inet halo")));
      }
    } finally {
      await on(first, "systemctl stop nftables; systemctl start halo-firewall");
    }
  });
});

describe("ports", () => {
  test("from outside only the ports of the list are open, and the others are silent", async () => {
    for (const host of hosts()) {
      const listening = (await on(host.name, "ss -Htln"))
        .split("\n")
        .map((line) => Number(line.match(/:(\d+)\s/)?.[1]));
      const ports = Object.values(firewallServices());
      const wanted = new Set(
        ports
          .filter((each) => each.from.includes("any") && each.hosts.some((group) => host.groups.includes(group)))
          .flatMap((each) => each.ports),
      );
      // A port on which nothing listens cannot be open: the listening ports, the list's, and an unused one are enough.
      const asked = [...new Set([...listening, ...ports.flatMap((each) => each.ports), 9])];
      const found = await Promise.all(asked.map(async (port) => [port, await knock(host.address, port)]));
      const state = (port: number) => (wanted.has(port) ? "open" : "silent");
      expect({ host: host.name, found }).toEqual({ host: host.name, found: asked.map((port) => [port, state(port)]) });
    }
  });

  test("the service is open to the balancer alone, Redis to the backends alone, metrics to the monitoring host alone", async () => {
    const reach = async (from: string, to: string, port: number) =>
      (await sh(ssh(findHost(from), `timeout 2 bash -c 'exec 3<>/dev/tcp/${findHost(to).address}/${port}'`))).code ===
      0;
    expect(await reach("balancer", first, app.port)).toBe(true);
    expect(await reach(first, "balancer", portOf("redis"))).toBe(true);
    expect(await reach(second, first, app.port)).toBe(false);
    expect(await reach("balancer", second, portOf("redis"))).toBe(false);
    expect(await reach("balancer", first, portOf("metrics"))).toBe(true);
    expect(await reach(second, first, portOf("metrics"))).toBe(false);
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

  test("the pm2 command shows the real processes to every user", async () => {
    for (const line of ["pm2 ls", `sudo -u ${app.user} pm2 ls`])
      expect(await on(first, line)).toMatch(new RegExp(`${app.name}.*cluster.*online`));
  });

  test("PM2 and one idle worker take under 200 MB together", async () => {
    // A fresh worker: one that has served holds garbage until its next requests.
    await on(first, `pm2 reload ${app.name}`);
    // PSS: shared pages are counted once over the processes that share them.
    const kib = await on(
      first,
      `for p in $(cat /sys/fs/cgroup$(systemctl show -P ControlGroup ${app.unit})/cgroup.procs); do awk "/^Pss:/{print \\$2}" /proc/$p/smaps_rollup; done | awk "{s+=\\$1} END {print s}"`,
    );
    console.log(`PM2 and one worker on ${first}: ${(Number(kib) / 1024).toFixed(0)} MiB (PSS)`);
    expect(Number(kib) * 1024).toBeLessThan(200e6);
  });

  test("no password is in a process list, a unit or PM2's own data", async () => {
    const secret = await on(first, `. ${app.settings}; echo "$REDIS_PASSWORD"`);
    expect(secret.length).toBeGreaterThan(20);
    expect(
      await on(first, `ps auxeww; systemctl cat ${app.unit}; pm2 jlist; journalctl -u ${app.unit} --no-pager`),
    ).not.toContain(secret);
  });
});
