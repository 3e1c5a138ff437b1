import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { root } from "../../ops/lib/project.ts";
import { ansible, explainByJournals, must, on, sh, until } from "../lib/hosts.ts";
import { visit } from "../lib/http.ts";

beforeEach(explainByJournals);

const here = mkdtempSync(join(tmpdir(), "halo-backup-test-"));
afterAll(() => rmSync(here, { recursive: true }));
const redis = (command: string) => on("balancer", `halo-redis-cli ${command}`);
const total = async () => Number(await redis("get total_visits"));
const redisPid = () => on("balancer", "systemctl show --property=MainPID --value redis-server");
/** One visit that is counted, however often it has to be tried; gives its number. */
const counted = async () => {
  let number = Number.NaN;
  await until("a visit is counted", 10_000, async () => {
    const answer = await visit();
    number = answer.visit.total_visits ?? Number.NaN;
    return answer.status === 200;
  });
  return number;
};
const restore = (...args: string[]) => sh(["ops/run", "restore", ...args]);

/** Makes a backup through the front door; gives its file and the visits it says are in it. */
async function backup(): Promise<{ file: string; visits: number }> {
  const said = await must(["ops/run", "backup"]);
  const [, file = "", visits, bytes] =
    said.match(/^(\.halo\/backups\/halo-\S+\.tar): (\d+) visits, (\d+) bytes$/m) ?? [];
  expect(statSync(join(root, file))).toMatchObject({ size: Number(bytes) });
  expect(statSync(join(root, file)).mode & 0o777).toBe(0o600);
  return { file: join(root, file), visits: Number(visits) };
}

test("a backup holds the visits of its moment; restored, the counter goes on from there, also after kill -9", async () => {
  await counted();
  const before = await total();
  const { file, visits } = await backup();
  expect(visits).toBe(before);
  for (let i = 0; i < 25; i++) await counted();
  expect(await total()).toBe(visits + 25);

  const { code, output } = await restore(file, "--yes");
  expect([code, output]).toEqual([0, expect.stringContaining(`restored: ${visits} visits`)]);
  expect(output).toContain(`It replaces what Redis has now: ${visits + 25} visits`);
  expect(await total()).toBe(visits);
  expect(await counted()).toBe(visits + 1);

  await on("balancer", "systemctl kill -s KILL redis-server");
  expect(await counted()).toBe(visits + 2);

  // The safety backup holds what the restore replaced.
  const safety = output.match(/^safety backup of (\d+) visits: (\S+)$/m) ?? [];
  expect(Number(safety[1])).toBe(visits + 25);
  expect(await on("balancer", `halo-backup check ${safety[2]}`)).toBe(
    `visits in it: ${visits + 25}, now: ${visits + 2}`,
  );
  expect(
    await on(
      "balancer",
      "find /var/lib/redis /var/tmp /var/backups/halo -name '*halo-backup*' -o -name '.work*' -o -name 'halo-restore*'",
    ),
  ).toBe("");
  rmSync(file);
});

test("an acknowledged visit is in the safety backup, though visits go on during a restore", async () => {
  const { file } = await backup();
  let running = true;
  let acknowledged = 0; // the highest number a visitor has seen before the counter went back
  let last = 0;
  const visitor = (async () => {
    while (running) {
      const number = (await visit()).visit.total_visits;
      if (number === null) continue;
      if (number < last) running = false;
      else acknowledged = number;
      last = number;
    }
  })();
  const { code, output } = await restore(file, "--yes");
  await until("the visitor has seen the counter go back", 10_000, async () => !running).finally(() => {
    running = false;
  });
  await visitor;
  expect([code, output]).toEqual([0, expect.stringContaining("restored:")]);
  expect(Number(output.match(/safety backup of (\d+) visits/)?.[1])).toBeGreaterThanOrEqual(acknowledged);
  rmSync(file);
});

describe("refused, with one readable message and nothing changed", () => {
  const spoiled: [string, (good: string, bad: string) => Promise<unknown> | undefined, RegExp][] = [
    [
      "one flipped byte",
      async (good, bad) => {
        const bytes = readFileSync(good);
        bytes[600] = (bytes[600] ?? 0) ^ 1;
        writeFileSync(bad, bytes);
      },
      /damaged/,
    ],
    ["a truncated file", async (good, bad) => writeFileSync(bad, readFileSync(good).subarray(0, 700)), /cut off/],
    ["an empty file", async (_, bad) => writeFileSync(bad, ""), /empty/],
    ["a file that is no tar", async (_, bad) => writeFileSync(bad, "x".repeat(2000)), /no backup/],
    [
      "a tar without SHA256SUMS",
      (good, bad) => must(["sh", "-c", `cd ${here} && tar -xf ${good} redis.rdb && tar -cf ${bad} redis.rdb`]),
      /SHA256SUMS/,
    ],
    ["a missing file", () => undefined, /cannot be read|missing/],
    [
      "a snapshot that Redis cannot read, with a right sum",
      (_, bad) =>
        must([
          "sh",
          "-c",
          `cd ${here} && echo REDIS0011x >redis.rdb && sha256sum redis.rdb >SHA256SUMS && tar -cf ${bad} redis.rdb SHA256SUMS`,
        ]),
      /redis.rdb is damaged/,
    ],
  ];
  test.each(spoiled)("%s", async (_, spoil, words) => {
    const { file: good } = await backup();
    const bad = join(here, "bad.tar");
    rmSync(bad, { force: true });
    await spoil(good, bad);
    const [visits, pid] = [await total(), await redisPid()];

    const { code, output } = await restore(bad, "--yes");
    expect([code, output]).toEqual([1, expect.stringMatching(words)]);
    expect(output).not.toMatch(/\n\s+at /);

    // The host's own script says so too, when it is asked alone.
    await on("balancer", "rm -f /var/tmp/bad.tar");
    if (existsSync(bad))
      await on("balancer", `echo ${readFileSync(bad).toString("base64")} | base64 -d >/var/tmp/bad.tar`);
    for (const command of ["check", "restore"]) {
      const refusal = await on("balancer", `halo-backup ${command} /var/tmp/bad.tar 2>&1 && echo DONE || true`);
      expect(refusal).toMatch(/^halo-backup: .+$/);
    }
    await on("balancer", "rm -f /var/tmp/bad.tar");
    expect([await total(), await redisPid()]).toEqual([visits, pid]);
    rmSync(good);
  });

  test("no terminal to ask on, and no --yes", async () => {
    const { file } = await backup();
    const [visits, pid] = [await total(), await redisPid()];
    const { code, output } = await restore(file);
    expect([code, output]).toEqual([1, expect.stringContaining("--yes")]);
    expect([await total(), await redisPid()]).toEqual([visits, pid]);
    rmSync(file);
  });
});

test("Redis does not come up with the backup: the data from before are back", async () => {
  await counted();
  const { file } = await backup();
  const visits = (await counted()) as number;
  const inode = await on("balancer", "stat -c %i /var/lib/redis/appendonlydir");
  const dropIn = "/run/systemd/system/redis-server.service.d";
  await on(
    "balancer",
    `mkdir -p ${dropIn}
printf "[Service]\\nExecStartPre=/bin/sh -c \\"test \\$\\$(stat -c %%%%i /var/lib/redis/appendonlydir) = ${inode}\\"\\n" >${dropIn}/only-old.conf
systemctl daemon-reload`,
  );
  try {
    const { code, output } = await restore(file, "--yes");
    expect([code, output]).toEqual([1, expect.stringContaining("data from before are back")]);
    expect(await on("balancer", "stat -c %i /var/lib/redis/appendonlydir")).toBe(inode);
    expect(await counted()).toBe(visits + 1);
  } finally {
    await on("balancer", `rm -r ${dropIn}; systemctl daemon-reload`);
  }
  rmSync(file);
});

test("kill -9 of the controller's command in the middle: the host finishes alone", async () => {
  await counted();
  const { file, visits } = await backup();
  for (let i = 0; i < 5; i++) await counted();
  const command = sh(["sh", "-c", `echo $$ >${here}/pid; exec setsid -w ops/run restore ${file} --yes`]);
  await until("the restore is at work on the host", 30_000, async () =>
    (await on("balancer", "systemctl is-active halo-restore || true")).startsWith("activ"),
  );
  await must(["sh", "-c", `kill -9 -$(pgrep -P $(cat ${here}/pid))`]);
  await command;
  await until("the host is done", 30_000, async () =>
    (await on("balancer", "systemctl is-active halo-restore || true")).startsWith("inactive"),
  );
  await until("Redis answers", 10_000, async () => (await redis("ping")) === "PONG");
  expect(await total()).toBe(visits);
  rmSync(file);
});

test("a Redis that cannot start is restored too, and its folder is kept", async () => {
  await counted();
  const { file, visits } = await backup();
  await on(
    "balancer",
    "systemctl stop redis-server; printf garbage >/var/lib/redis/appendonlydir/appendonly.aof.manifest; systemctl start redis-server || true",
  );
  const { code, output } = await restore(file, "--yes");
  expect([code, output]).toEqual([0, expect.stringContaining(`restored: ${visits} visits`)]);
  const kept = output.match(/(\/var\/backups\/halo\/appendonlydir-\S+\.tar)$/m)?.[1];
  expect(await on("balancer", `tar -tf ${kept}; rm ${kept}`)).toContain("appendonlydir/appendonly.aof.manifest");
  expect(await counted()).toBe(visits + 1);
  rmSync(file);
});

test("the newest N stay, and nothing else", async () => {
  const folder = "/var/tmp/halo-rotation";
  const lines = await on("balancer", `for i in 1 2 3 4 5; do halo-backup create ${folder} 3; done`);
  const made = lines.split("\n").map((line) => basename(line.split(":")[0] ?? ""));
  expect(await on("balancer", `ls -A ${folder}; rm -r ${folder}`)).toBe(made.slice(2).join("\n"));
});

test("the timer is set for each night, and its service leaves a file that root alone can read", async () => {
  expect(await on("balancer", "systemctl is-enabled halo-backup.timer; systemctl is-active halo-backup.timer")).toBe(
    "enabled\nactive",
  );
  const since = await on(
    "balancer",
    "touch /run/halo-test-mark; systemctl start halo-backup; find /var/backups/halo -newer /run/halo-test-mark -name 'halo-*.tar'",
  );
  expect(since).toMatch(/^\/var\/backups\/halo\/halo-\d{8}T\d{6}\.\d{3}Z\.tar$/);
  expect(await on("balancer", "find /var/backups/halo -perm /077")).toBe("");
});

test("a backup that fails is a failed unit, and leaves no file", async () => {
  const files = () => on("balancer", "ls -A /var/backups/halo");
  const before = await files();
  await on("balancer", "systemctl stop redis-server");
  try {
    expect(await on("balancer", "systemctl start halo-backup || systemctl is-failed halo-backup")).toContain("failed");
    expect(await files()).toBe(before);
    const { output } = await sh(["npm", "run", "-s", "verify"]);
    expect(output).toMatch(/last backup/);
  } finally {
    await on("balancer", "systemctl start redis-server; systemctl reset-failed halo-backup");
  }
  await counted();
});

test("site.yml changes nothing a second time", async () => {
  const { output } = await ansible("site.yml", "--limit", "balancers,localhost");
  expect(output).toMatch(/balancer\s+: ok=\d+\s+changed=0\s+unreachable=0\s+failed=0/);
});
