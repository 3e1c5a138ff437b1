import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { findHost, ssh } from "../../ops/cluster/hosts.ts";
import { root } from "../../ops/lib/paths.ts";
import { explainByJournals, must, on, sh, until } from "../lib/hosts.ts";
import { visit } from "../lib/http.ts";
import { atNight, wholeNight } from "../lib/night.ts";

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
    said.match(/^(\.halo\/backups\/halo-\S+\.tar): (\d+) visits, \d+ rows, (\d+) bytes$/m) ?? [];
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
  expect(output).toContain(`It has ${visits} visits, which replace the ${visits + 25} of now`);
  expect(await total()).toBe(visits);
  expect(await counted()).toBe(visits + 1);

  await on("balancer", "systemctl kill -s KILL redis-server");
  expect(await counted()).toBe(visits + 2);

  // The safety backup holds the data that the restore replaced.
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
  let good = "";
  beforeAll(async () => {
    good = (await backup()).file;
  });
  afterAll(() => rmSync(good));
  const spoiled: [string, (bad: string) => unknown, RegExp][] = [
    [
      "one flipped byte",
      (bad) => {
        const bytes = readFileSync(good);
        bytes[600] = (bytes[600] ?? 0) ^ 1;
        writeFileSync(bad, bytes);
      },
      /damaged/,
    ],
    ["a truncated file", (bad) => writeFileSync(bad, readFileSync(good).subarray(0, 700)), /cut off/],
    ["an empty file", (bad) => writeFileSync(bad, ""), /empty/],
    ["a file that is no tar", (bad) => writeFileSync(bad, "x".repeat(2000)), /no backup/],
    [
      "a tar without SHA256SUMS",
      (bad) => must(["sh", "-c", `cd ${here} && tar -xf ${good} redis.rdb && tar -cf ${bad} redis.rdb`]),
      /SHA256SUMS/,
    ],
    ["a missing file", () => undefined, /cannot be read|missing/],
    [
      "a snapshot that Redis cannot read, with a right sum",
      (bad) =>
        must([
          "sh",
          "-c",
          `cd ${here} && echo REDIS0011x >redis.rdb && sha256sum redis.rdb >SHA256SUMS && tar -cf ${bad} redis.rdb SHA256SUMS`,
        ]),
      /redis.rdb is damaged/,
    ],
  ];
  test.each(wholeNight ? spoiled : spoiled.slice(0, 1))("%s", async (_, spoil, words) => {
    const bad = join(here, "bad.tar");
    rmSync(bad, { force: true });
    await spoil(bad);
    const [visits, pid] = [await total(), await redisPid()];

    const { code, output } = await restore(bad, "--yes");
    expect([code, output]).toEqual([1, expect.stringMatching(words)]);
    expect(output).not.toMatch(/\n\s+at /);

    // The host's own script says so too, when it is asked alone.
    await on("balancer", "rm -f /var/tmp/bad.tar");
    const copy = ssh(findHost("balancer"), "sudo tee /var/tmp/bad.tar >/dev/null");
    if (existsSync(bad)) await must(["sh", "-c", '"$@" <"$0"', bad, ...copy]);
    for (const command of ["check", "restore"]) {
      const refusal = await on("balancer", `halo-backup ${command} /var/tmp/bad.tar 2>&1 && echo DONE || true`);
      expect(refusal).toMatch(/^halo-backup: .+$/);
    }
    await on("balancer", "rm -f /var/tmp/bad.tar");
    expect([await total(), await redisPid()]).toEqual([visits, pid]);
  });

  test("no terminal to ask on, and no --yes", async () => {
    const [visits, pid] = [await total(), await redisPid()];
    const { code, output } = await restore(good);
    expect([code, output]).toEqual([1, expect.stringContaining("--yes")]);
    expect([await total(), await redisPid()]).toEqual([visits, pid]);
  });
});

/** Has Redis' unit run this before each start, while the work lasts; + is systemd's word for "outside of the sandbox". */
async function beforeStart(line: string, work: () => Promise<void>): Promise<void> {
  const folder = "/run/systemd/system/redis-server.service.d";
  const unit = Buffer.from(`[Service]\nExecStartPre=+/bin/sh -c '${line}'\n`).toString("base64");
  await on("balancer", `mkdir -p ${folder}; echo ${unit} | base64 -d >${folder}/test.conf; systemctl daemon-reload`);
  try {
    await work();
  } finally {
    await on("balancer", `rm -r ${folder}; systemctl daemon-reload`);
  }
}

atNight("Redis does not come up with the backup: the data from before are back", async () => {
  await counted();
  const { file } = await backup();
  const visits = await counted();
  const inode = await on("balancer", "stat -c %i /var/lib/redis/appendonlydir");
  await beforeStart(`ls -di /var/lib/redis/appendonlydir | grep -qw ${inode}`, async () => {
    const { code, output } = await restore(file, "--yes");
    expect([code, output]).toEqual([
      1,
      expect.stringMatching(/safety backup of[\s\S]*data from before are back in place/),
    ]);
    expect(await on("balancer", "stat -c %i /var/lib/redis/appendonlydir")).toBe(inode);
    expect(await counted()).toBe(visits + 1);
  });
  expect(await on("balancer", "ls -A /var/lib/redis")).toBe("appendonlydir");
  rmSync(file);
});

atNight("kill -9 of the controller's command in the middle: the host finishes alone", async () => {
  await counted();
  const { file, visits } = await backup();
  for (let i = 0; i < 5; i++) await counted();
  const working = async () => (await on("balancer", "systemctl is-active halo-restore || true")) !== "inactive";
  await beforeStart("sleep 3", async () => {
    const command = sh(["sh", "-c", `echo $$ >${here}/pid; exec setsid ops/run restore ${file} --yes`]);
    await until("the restore has stopped Redis", 30_000, async () =>
      (await on("balancer", "systemctl is-active redis-server || true")).startsWith("activating"),
    );
    await must(["sh", "-c", `kill -9 -$(cat ${here}/pid)`]); // its whole process group, ssh as well
    expect((await command).code).toBe(1);
    expect(await working()).toBe(true);
    await until("the host is done", 30_000, async () => !(await working()));
  });
  expect(await total()).toBe(visits);
  expect(await counted()).toBe(visits + 1);
  rmSync(file);
});

atNight("a Redis that cannot start is restored too, and its folder is kept", async () => {
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

atNight("the newest N stay, and nothing else", async () => {
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

atNight("a backup that fails is a failed unit and leaves no file, and verify says that one is missing", async () => {
  const folder = "/var/backups/halo";
  await on("balancer", `mv ${folder} ${folder}.aside; systemctl stop redis-server`);
  try {
    expect(await on("balancer", "systemctl start halo-backup || systemctl is-failed halo-backup")).toContain("failed");
    expect(await on("balancer", `ls -A ${folder}`)).toBe("");
    await on("balancer", "systemctl start redis-server");
    await counted();
    const { code, output } = await sh(["npm", "run", "-s", "verify"]);
    expect([code, output]).toEqual([2, expect.stringMatching(/WRONG +balancer +last backup .*npm run backup/)]);
  } finally {
    await on(
      "balancer",
      `rm -rf ${folder}; mv ${folder}.aside ${folder}; systemctl start redis-server; systemctl reset-failed halo-backup`,
    );
  }
  await counted();
});
