import { beforeEach, expect, test } from "vitest";
import { reach } from "../../ops/lib/cluster.ts";
import { hosts } from "../../ops/lib/project.ts";
import { ansible, backends, explainByJournals, must, on, until, vagrant } from "../lib/hosts.ts";
import { visit } from "../lib/http.ts";

// What containers cannot show: real kernels, real boots, real power cuts. The cluster is up (ops/lane.ts); emulated
// machines are slow, so the waits are long and the figures are printed.
beforeEach(explainByJournals);
const minutes = 60_000;
const [first = "", second = ""] = backends;
const say = (what: string, ms: number) => console.log(`${what}: ${(ms / 1000).toFixed(1)} s`);

const seen = async (requests = 8) => {
  const names = new Set<string>();
  for (let i = 0; i < requests; i++) names.add((await visit()).visit.container_id);
  return names;
};
const everyBackendAnswers = () =>
  until("every backend answers", 10 * minutes, async () => (await seen()).size === backends.length);

/** Takes the power from a VM, with nothing written down first. */
const powerCut = (name: string) =>
  must(reach(["virsh", "--connect", "qemu:///system", "destroy", `${process.cwd().split("/").at(-1)}_${name}`]));

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

test("power cut of a backend: no request fails; it comes back by vagrant up alone", async () => {
  await powerCut(second);
  const slowest = Math.max(...(await Promise.all(Array.from({ length: 20 }, async () => (await visit()).ms))));
  console.log(`slowest of 20 requests right after the power cut of ${second}: ${(slowest / 1000).toFixed(1)} s`);
  for (let i = 0; i < 20; i++) expect((await visit()).status).toBe(200);
  await timed(`vagrant up ${second}`, () => vagrant("up", second));
  say(`${second} in rotation after that`, await everyBackendAnswers());
});

test("power cut of the balancer in the middle of visits: after boot everything answers, no acknowledged visit is lost", async () => {
  let acknowledged = 0;
  let asked = 0;
  let cut = false;
  const start = (await visit()).visit.total_visits ?? Number.NaN;
  const clients = Array.from({ length: 4 }, async () => {
    while (!cut) {
      asked++;
      const answer = await visit().catch(() => undefined);
      if (answer?.status === 200) acknowledged++;
    }
  });
  await until("visits are being counted", minutes, async () => acknowledged > 100);
  await powerCut("balancer");
  cut = true;
  await Promise.all(clients);
  await timed("vagrant up balancer", () => vagrant("up", "balancer"));
  await until("a visit is counted", 5 * minutes, async () => (await visit()).status === 200);
  const counted = Number(await on("balancer", "halo-redis-cli get total_visits")) - start - 1;
  console.log(`power cut of the balancer: ${acknowledged} visits acknowledged, ${counted} counted, ${asked} attempted`);
  expect(counted).toBeGreaterThanOrEqual(acknowledged);
  await everyBackendAnswers();
});

test("npm run verify is green after all that", async () => {
  await must(["npm", "run", "-s", "verify"]);
});
