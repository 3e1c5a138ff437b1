import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { playbookWith, viaLab } from "../../ops/cluster/hosts.ts";
import { killGroup, openSession } from "../../ops/cluster/session.ts";
import { localPath, root } from "../../ops/lib/paths.ts";
import { shellScript, textOf } from "../../ops/lib/script.ts";
import { app, current } from "../lib/app.ts";
import { ansible, backends, explainByJournals, must, on, sh, until } from "../lib/hosts.ts";
import { port, request, visit } from "../lib/http.ts";
import { changedInventory, committed } from "../lib/inventory.ts";
import { pack } from "../lib/releases.ts";

beforeEach(explainByJournals);
const folder = mkdtempSync(join(tmpdir(), "halo-topology-"));
afterAll(() => rmSync(folder, { recursive: true }));

const inventory = (name: string, change: (text: string) => string) => changedInventory(folder, name, change);

/** The names of the backends that answer. */
async function seen(): Promise<string[]> {
  const names = new Set<string>();
  for (let i = 0; i < 24; i++) names.add((await visit()).visit.container_id);
  return [...names].sort();
}

describe("four more backends are a few lines of the inventory", () => {
  const line = committed.match(/^ +backend2:.*(?:\n {10,}.*)*\n/m)?.[0] ?? "";
  const more = ["backend3", "backend4", "backend5", "backend6"];
  const six = [...backends, ...more];
  const lines = more.map((name) => line.replaceAll("backend2", name).replace("56.12", `56.1${name.at(-1)}`));
  const env = inventory("six", (text) => text.replace(line, [line, ...lines].join("")));
  /** Runs a command as root on one of the six. */
  const at = (name: string, ...command: string[]) => must(["ops/run", "ssh", name, "sudo", ...command], env);
  const serving = () => Promise.all(six.map((name) => at(name, "cat", `${current}/RELEASE`)));
  /** Runs an Ansible command with an inventory; prints and resolves to its seconds. */
  async function time(title: string, argv: string[], of: Record<string, string>): Promise<number> {
    const start = performance.now();
    await must(argv, of);
    const seconds = (performance.now() - start) / 1000;
    console.log(`${title}: ${seconds.toFixed(1)} s`);
    return seconds;
  }
  const deployment = ["npm", "run", "-s", "deploy", "--", "-m", "measured"];

  beforeAll(async () => {
    // The first deploy after an up builds more.
    for (const title of ["deploy before the measurement", "deploy, two backends"]) await time(title, deployment, {});
    await time("site.yml again, two backends", ["ops/run", "up"], {});
    await must(["ops/run", "up"], env);
  });
  afterAll(async () => {
    await must(viaLab(["vagrant", "destroy", "--force", ...more]), env);
  });

  test("they take their turns", async () => {
    await until("six backends answer", 20_000, async () => (await seen()).length === 6);
    expect(await seen()).toEqual(six);
  });

  test("a deploy takes the first of them, then half of them at a time", async () => {
    await time("site.yml again, six backends", ["ops/run", "up"], env);
    await time("deploy, six backends", deployment, env);
    const releases = await serving();
    expect(new Set(releases).size).toBe(1);
    // The times at which the links switched: the release is proved on one host before any other takes it.
    const times = await Promise.all(six.map((name) => at(name, "stat", "--format=%Z", current)));
    expect(Math.min(...times.slice(1).map(Number))).toBeGreaterThan(Number(times[0]));
  });

  test("a release that fails on one of a batch is taken back on all", async () => {
    const before = await serving();
    const program = textOf(new URL("programs/other-on-one-host.ts", import.meta.url));
    const readRelease = program.replaceAll("HOST", "backend4");
    const app_release = await pack("fourth", (to) => writeFileSync(join(to, "app/src/release.ts"), readRelease));
    const vars = JSON.stringify({ app_release, app_gate_timeout: 15 });
    const { code, output } = await sh(playbookWith(env.HALO_INVENTORY, "deploy.yml", "-e", vars));
    expect(code).toBe(2);
    expect(output).toContain("failed on backend4");
    expect(await serving()).toEqual(before);
    for (const name of six.slice(0, 4))
      expect(await at(name, "halo-release", app.name, "list")).toContain(`${app_release.id} failed`);
  });

  test("they leave no trace when they are taken out again", async () => {
    const { code, output } = await ansible("site.yml");
    expect([code, output]).toEqual([0, expect.any(String)]);
    for (const host of ["balancer", ...backends])
      expect(await on(host, "grep -rlE '192[.]168[.]56[.]1[3-6]' /etc || true")).toBe("");
    await until("two backends answer", 20_000, async () => (await seen()).length === 2);
  });
});

test("npm run scale adds a backend, also where it was cut short, and takes it away without a trace", async () => {
  const file = join(folder, "scale.yml");
  writeFileSync(file, committed);
  const env = { HALO_INVENTORY: file };
  const scale = (count: number) => sh(["ops/run", "scale", `backends=${count}`, "--yes"], env);
  const state = localPath("scale.json");
  const log = localPath("logs", "ansible.log");
  const machines = () => globSync(".vagrant/machines/backend3/*/id", { cwd: root });
  try {
    expect(await scale(2)).toEqual({ code: 0, output: expect.stringContaining("nothing was changed") });

    // Killed with all that it has started, while Ansible works on the new host.
    rmSync(log, { force: true });
    let group = 0;
    const argv = ["env", `HALO_INVENTORY=${file}`, "ops/run", "scale", "backends=3", "--yes"];
    const cut = openSession(console.log, AbortSignal.timeout(600_000)).sh(argv, {
      started: (pid) => {
        group = pid;
      },
    });
    const works = async () => existsSync(log) && readFileSync(log, "utf8").includes("[backend3]");
    await until("Ansible works there", 500_000, works);
    killGroup(group);
    await cut;
    expect(readFileSync(file, "utf8")).toContain("backend3: {private_ip: 192.168.56.13,");
    expect(existsSync(state)).toBe(true);

    expect(await scale(3)).toEqual({ code: 0, output: expect.stringContaining("cut short") });
    await until("three backends answer", 20_000, async () => (await seen()).length === 3);
    expect(machines()).toHaveLength(1);

    // The ones that stay will answer all requests.
    const [first = ""] = backends;
    await on(first, `systemctl stop ${app.unit}`);
    try {
      const refused = expect.stringMatching(/nothing was changed\nFix: npm run diagnose/);
      expect(await scale(2)).toEqual({ code: 1, output: refused });
    } finally {
      await on(first, `systemctl start ${app.unit}`);
    }

    expect(await scale(2)).toEqual({ code: 0, output: expect.stringMatching(/Drain backend3.*Destroy backend3/s) });
    expect(readFileSync(file, "utf8")).toBe(committed);
    expect(await seen()).toEqual(backends);
    expect(existsSync(state)).toBe(false);
    expect(machines()).toEqual([]);
    for (const host of ["balancer", ...backends])
      expect(await on(host, "grep -rlE '192[.]168[.]56[.]13' /etc || true")).toBe("");
    // A later backend of its name gets requests, and its alerts fire.
    expect(await on("balancer", "cat /var/lib/halo-cluster/drained")).toBe("");
    expect(await on("balancer", "cat /var/lib/prometheus/node-exporter/halo-drained.prom")).toBe("");
  } finally {
    await scale(2);
  }
}, 1_500_000);

describe("a wrong inventory is one readable message, from every way in, and nothing is done", () => {
  const cases: [string, (text: string) => string, RegExp][] = [
    [
      "a duplicate address",
      (text) => text.replace("192.168.56.12", "192.168.56.11"),
      /backend1 and backend2 .*same private_ip 192\.168\.56\.11/,
    ],
    ["no backend", (text) => text.replace(/( +backends:\n +hosts:\n)(?: {8,}.*\n)+/, "$1"), /backends has no host/],
    [
      "an unknown key",
      (text) => text.replace("private_ip: 192.168.56.12", "privat_ip: 192.168.56.12"),
      /backend2 .*privat_ip/,
    ],
    ["no YAML", () => "all: [", /cannot be read/],
  ];
  test.each(cases)("%s", async (name, change, message) => {
    const env = inventory(name.replaceAll(" ", "-"), change);
    for (const argv of [["ops/run", "up"], viaLab(["vagrant", "status"])]) {
      const { code, output } = await sh(argv, env);
      expect({ argv, code, output }).toEqual({ argv, code: 1, output: expect.stringMatching(message) });
      expect(output).toMatch(/^Fix: /m);
      expect(output).not.toMatch(/\n +(at|from) /);
    }
  });

  test("a name with a dot, where Vagrant makes the hosts", async () => {
    const env = inventory("dot", (text) => text.replace("backend2:", "backend.2:"));
    const { code, output } = await sh(viaLab(["vagrant", "status"]), env);
    expect({ code, output }).toEqual({ code: 1, output: expect.stringMatching(/backend\.2 cannot be a host's name/) });
  });

  test("ansible-playbook by itself refuses a duplicate address and a missing group as well", async () => {
    const nobody: (typeof cases)[number] = [
      "no word of monitoring",
      (text) => text.replace(/ +monitoring:\n(?: {6,}.*\n)+/, ""),
      /group monitoring is missing/,
    ];
    for (const [name, change, message] of [...cases.slice(0, 2), nobody]) {
      const { HALO_INVENTORY } = inventory(name.replaceAll(" ", "-"), change);
      const { code, output } = await sh(playbookWith(HALO_INVENTORY, "site.yml"));
      expect([name, code]).toEqual([name, 2]);
      expect(output).toMatch(message);
    }
  });
});

test("a wrong nginx configuration: the play fails with nginx's message, the old one serves and stays on disk", async () => {
  const before = await on("balancer", "sha256sum /etc/nginx/nginx.conf");
  const { code, output } = await ansible(
    "site.yml",
    "--limit",
    "balancers,localhost",
    "--extra-vars",
    "nginx_client_max_body_size=wrong",
  );
  expect(code).toBe(2);
  expect(output).toMatch(/client_max_body_size.*(invalid value|wrong)/);
  expect(await on("balancer", "sha256sum /etc/nginx/nginx.conf")).toBe(before);
  expect((await visit()).status).toBe(200);
});

test("files that a run that was cut short had written are in service after the next one, which is the last to change anything", async () => {
  await on("balancer", shellScript(new URL("programs/cut-run.sh", import.meta.url)));
  await until("nginx has no backend", 5000, async () => (await request()).headers["x-served-by"] === undefined);
  const started = () => on("balancer", "systemctl show -P ActiveEnterTimestampMonotonic 'postgresql@*'");
  const before = await started();
  const { code, output } = await ansible("site.yml", "--limit", "balancers,localhost");
  expect(code, output).toBe(0);
  expect(await on("balancer", "halo-redis-cli config get maxmemory")).not.toContain(String(99 * 1024 * 1024));
  expect(await started()).not.toBe(before);
  await until("visits are answered", 5000, async () => (await visit()).status === 200);
  const again = await ansible("site.yml", "--limit", "balancers,localhost");
  expect(again.output).toMatch(/balancer\s+: ok=\d+\s+changed=0/);
});

test("a taken port: the play names the port and who has it; once it is free the play completes", async () => {
  await on("balancer", `systemctl stop nginx && systemd-run --unit=squatter python3 -m http.server ${port}`);
  try {
    await until("the port is taken", 5000, async () =>
      (await on("balancer", `ss -Htlnp sport = :${port}`)).includes("python3"),
    );
    const { code, output } = await ansible("site.yml", "--limit", "balancers,localhost");
    expect(code).toBe(2);
    expect(output).toMatch(new RegExp(`port ${port}\\b.*python3`));
  } finally {
    await on("balancer", "systemctl stop squatter");
  }
  expect((await ansible("site.yml", "--limit", "balancers,localhost")).code).toBe(0);
  expect((await visit()).status).toBe(200);
});
