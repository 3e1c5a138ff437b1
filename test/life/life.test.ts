import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { playbook, viaLab } from "../../ops/cluster/hosts.ts";
import { hosts } from "../../ops/cluster/inventory.ts";
import { localPath, root } from "../../ops/lib/paths.ts";
import { must, sh } from "../lib/hosts.ts";
import { atNight } from "../lib/night.ts";

// One cluster's life from nothing, in order: each test starts where the one before ended.
const timed = async (argv: string[]) => {
  const since = performance.now();
  const { code, output } = await sh(argv);
  expect([code, output]).toEqual([0, expect.any(String)]);
  const seconds = (performance.now() - since) / 1000;
  console.log(`${argv.join(" ")}: ${seconds.toFixed(0)} s`);
  return { output, seconds };
};

test("npm run destroy leaves nothing of an earlier life, nor of a lab that was killed", async () => {
  await must(["ops/run", "destroy", "--keep-image"]);
  await must(["lab/lab", "up", "docker"]);
  await must(["sh", "-c", "kill -KILL $(cat /run/halo-lab/pid)"]);
  await must(["ops/run", "destroy", "--keep-image"]);
  // The lab's own names: another program's may begin like them.
  expect((await sh(["sh", "-c", "ip netns; ip -br link; nft list tables; ls /run /var/lib"])).output).not.toMatch(
    /\bhalo(\b|_)/,
  );
});

test("without hosts nothing is sent to their addresses", async () => {
  for (const name of ["verify", "drill", "diagnose", "logs"]) {
    const { code, output } = await sh(["ops/run", name]);
    expect([name, code, output]).toEqual([name, 1, expect.stringMatching(/no hosts are up[\s\S]*npm run up/)]);
  }
});

test("without hosts their line of /etc/hosts is written and taken out again", async () => {
  const before = readFileSync("/etc/hosts", "utf8");
  await must(["ops/run", "hosts", "--write"]);
  await must(["ops/run", "hosts", "--remove"]);
  expect(readFileSync("/etc/hosts", "utf8")).toBe(before);
});

test("two lab commands at once: the second is refused with a clear word", async () => {
  const { code, output } = await sh(["flock", "/run/halo-lab.lock", "lab/lab", "up", "docker"]);
  expect([code, output]).toEqual([1, expect.stringContaining("another lab command is running")]);
});

test("the lab comes up, also after a vagrant up that was cut short", async () => {
  await must(["lab/lab", "up", "docker"]);
  const key = readFileSync(join(root, "lab/docker/vagrant.pub"), "utf8");
  mkdirSync(join(root, ".vagrant"), { recursive: true });
  writeFileSync(
    join(root, ".vagrant/known_hosts"),
    hosts()
      .map(({ address }) => `${address} ${key}`)
      .join(""),
  );
  const log = ".vagrant/cut-short";
  const cutShort = `vagrant up backend1 >${log} & for i in $(seq 300); do grep -q 'Container created' ${log} && break; sleep 0.1; done`;
  await must(viaLab(["sh", "-c", `${cutShort}; kill -INT $! && ! wait $! && rm ${log}`]));
  await must(viaLab(["vagrant", "up"]));
});

atNight("on fresh hosts --check --diff does not fail, whatever earlier ones have left", async () => {
  const { output } = await timed(playbook("site.yml", "--check", "--diff"));
  expect(output).not.toMatch(/failed=[1-9]/);
});

test("npm run up configures them within 6 minutes", async () => {
  expect((await timed(["ops/run", "up"])).seconds).toBeLessThan(360);
});

test("npm run up again changes nothing", async () => {
  const { output } = await timed(["ops/run", "up"]);
  for (const { name } of hosts())
    expect(output).toMatch(new RegExp(`${name}\\s+: ok=\\d+\\s+changed=0\\s+unreachable=0\\s+failed=0`));
  expect(existsSync(localPath("lab"))).toBe(true);
});

test("another provider is refused while these hosts live", async () => {
  const { code, output } = await sh(["ops/run", "up", "--provider=libvirt"]);
  expect([code, output]).toEqual([1, expect.stringMatching(/made with docker, not libvirt[\s\S]*npm run destroy/)]);
});

test("npm run up in another clone is refused while these hosts live", async () => {
  const { code, output } = await sh([
    "sh",
    "-c",
    "t=$(mktemp -d); cp -r lab $t; $t/lab/lab up docker; s=$?; rm -r $t; exit $s",
  ]);
  expect([code, output]).toEqual([1, expect.stringMatching(/lab of another clone is running[\s\S]*npm run destroy/)]);
});
