import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { withEntry } from "../../ops/apps/entry.ts";
import { appsFile, type Entry, writeAppsText } from "../../ops/cluster/apps.ts";
import { hosts } from "../../ops/cluster/inventory.ts";
import { root } from "../../ops/lib/paths.ts";
import { Repository } from "../../ops/test/support/repository.ts";
import { ansible, backends, explainByJournals, must, on, sh, until, vagrant } from "../lib/hosts.ts";
import { domain, request, visit } from "../lib/http.ts";
import { memoryKills, watched } from "../lib/watch.ts";

// Containers cannot show these: real kernels, real boots, real power cuts. The cluster is up (ops/suite.ts); emulated
// machines are slow, so the waits are long and the times are printed.
beforeEach(explainByJournals);
const minutes = 60_000;
const [first = ""] = backends;
const say = (what: string, ms: number) => console.log(`${what}: ${(ms / 1000).toFixed(1)} s`);

const seen = async (requests = 8) => {
  const names = new Set<string>();
  for (let i = 0; i < requests; i++) names.add((await visit()).visit.container_id);
  return names;
};
const everyBackendAnswers = () =>
  until("every backend answers", 10 * minutes, async () => (await seen()).size === backends.length);

async function timed(what: string, work: () => Promise<unknown>): Promise<void> {
  const since = performance.now();
  await work();
  say(what, performance.now() - since);
}

test("the hosts are machines of their own", async () => {
  const kernels = new Set<string>();
  for (const { name } of hosts()) {
    expect(await on(name, "systemd-detect-virt")).toMatch(/^(qemu|kvm|oracle)$/);
    kernels.add(await on(name, "cat /proc/sys/kernel/random/boot_id"));
  }
  expect(kernels.size).toBe(hosts().length);
});

test("100 sequential requests alternate strictly", async () => {
  const names: string[] = [];
  for (let i = 0; i < 100; i++) names.push((await visit()).visit.container_id);
  expect(names.filter((name) => name === first).length).toBe(100 / backends.length);
  expect(names.filter((name, i) => name === names[i - 1])).toEqual([]);
});

test("site.yml again changes nothing", async () => {
  const since = performance.now();
  const { code, output } = await ansible("site.yml");
  say("site.yml again", performance.now() - since);
  expect(code, output).toBe(0);
  for (const { name } of hosts())
    expect(output).toMatch(new RegExp(`${name}\\s+: ok=\\d+\\s+changed=0\\s+unreachable=0\\s+failed=0`));
});

test("vagrant halt of a backend: the site answers; vagrant up: both answer, with no other command", async () => {
  await timed(`vagrant halt ${first}`, () => vagrant("halt", first));
  expect(await seen()).toEqual(new Set(backends.filter((name) => name !== first)));
  await timed(`vagrant up ${first}`, () => vagrant("up", first));
  say(`${first} in rotation after that`, await everyBackendAnswers());
});

test("failures and releases under load: kill -9, power cuts of a backend and of the balancer, Redis, PostgreSQL, a deploy", async () => {
  // An emulated CPU is about twenty times slower than a container's, for which 200 requests a second are the rule. At 10 a slow
  // day leaves nothing of two cores to the deploy.
  const names = ["worker", "power", "redis", "postgres", "deploy", "balancer"];
  const { code, output } = await sh(["npm", "run", "-s", "drill", "--", "--rate", "5", ...names]);
  console.log(output.slice(output.lastIndexOf("\n| drill")));
  expect(code, output).toBe(0);
});

test("npm run verify is green after all that", async () => {
  await must(["npm", "run", "-s", "verify"]);
});

test("an app that leaks is ended at its memory limit and starts again, and no visit fails", async () => {
  const folder = mkdtempSync(join(tmpdir(), "halo-vm-"));
  const committed = readFileSync(join(root, appsFile), "utf8");
  const ask = (path = "/", method = "GET", body?: string) =>
    request(path, { method, headers: { Host: `single.${domain}` }, timeout: minutes }, body);
  const entry: Entry = {
    source: Repository.of("single", join(folder, "single")).address,
    domains: [`single.${domain}`],
    hosts: first,
    writable: ["data"],
    memory: 128,
  };
  const kills = () => memoryKills(first, "single");
  try {
    writeAppsText(withEntry(committed, "single", entry));
    await timed("up with an app more", () => must(["ops/run", "up"]));
    expect((await ask("/", "POST", "first\n")).body).toBe("kept\n");
    const before = await kills();
    const bad = await watched(
      ["counter"],
      () => visit(),
      async () => {
        await ask("/leak");
        say(
          "the kernel ended it",
          await until("the kernel has ended it", 10 * minutes, async () => (await kills()) !== before),
        );
        say(
          "it answers after that",
          await until("it answers", 10 * minutes, async () => (await ask()).body === "first\n"),
        );
      },
    );
    expect(bad).toEqual([]);
  } finally {
    const removed = await sh(["npm", "run", "-s", "remove", "--", "single", "--purge", "--yes"]);
    writeAppsText(committed);
    rmSync(folder, { recursive: true });
    expect(removed.code, removed.output).toBe(0);
  }
});
