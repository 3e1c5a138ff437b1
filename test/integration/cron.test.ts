import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { root } from "../../ops/lib/paths.ts";
import { freePort } from "../../ops/loopback/port.ts";
import { RedisServer } from "../../ops/loopback/redis.ts";

const { redis_cron_rights: rights } = parse(
  readFileSync(join(root, "ansible/roles/redis/defaults/main.yml"), "utf8"),
) as { redis_cron_rights: string };
const login = { user: "cron", password: "cron-secret" };
/** Each host has the files that halo-cron reads and writes in a folder of its own. */
const folder = mkdtempSync(join(tmpdir(), "halo-cron-"));
const [a, b, alone] = [join(folder, "a"), join(folder, "b"), join(folder, "alone")];
let redis: RedisServer;

beforeAll(async () => {
  redis = await RedisServer.prepare();
  await redis.start({}, { load: false });
  await redis.ask(async (each) => {
    await each.call("ACL", "SETUSER", login.user, "on", `>${login.password}`, ...rights.split(" "));
    await each.call("ACL", "SAVE");
  });
  mkdirSync(join(folder, "bin"));
  writeFileSync(join(folder, "bin/systemctl"), '#!/bin/sh\ncat "$HALO_CRON_ROOT/timer"\n', { mode: 0o755 });
  for (const [host, port] of [
    [a, redis.port],
    [b, redis.port],
    [alone, await freePort()],
  ] as const) {
    mkdirSync(join(host, "etc/halo"), { recursive: true });
    writeFileSync(join(host, "etc/halo/redis-cron.json"), JSON.stringify({ host: "127.0.0.1", port, ...login }));
  }
});
afterAll(async () => {
  await redis.destroy();
  rmSync(folder, { recursive: true });
});

type Ended = { status: number | null; output: string; errors: string };

function cron(host: string, ...args: string[]): Promise<Ended> {
  const child = spawn("/usr/bin/python3", ["-I", join(root, "ansible/roles/app/files/halo-cron"), ...args], {
    env: { PATH: `${folder}/bin:${process.env.PATH}`, HALO_CRON_ROOT: host },
  });
  const text = { output: "", errors: "" };
  child.stdout.on("data", (chunk) => {
    text.output += chunk;
  });
  child.stderr.on("data", (chunk) => {
    text.errors += chunk;
  });
  return new Promise((resolve) => child.once("close", (status) => resolve({ status, ...text })));
}

/** A moment as systemd prints it. */
const printed = (time: string) =>
  new Date(time).toUTCString().replace(/^(\w+),.*/, `$1 ${time.slice(0, 10)} ${time.slice(11, 19)} UTC`);

/** Claims a job for the moment at which the host's timer has fired; without one a person starts it, hours after the timer. */
function claim(host: string, job: string, fired: string, calendar = "hourly UTC"): Promise<Ended> {
  const state = fired ? "running" : "waiting";
  writeFileSync(
    join(host, "timer"),
    `LastTriggerUSec=${printed(fired || "2026-11-29T07:00:00Z")}\nSubState=${state}\n`,
  );
  return cron(host, "claim", "shop", job, "60", calendar);
}
const release = (host: string, job: string) => cron(host, "release", "shop", job);

const mine: Ended = { status: 0, output: "", errors: "" };
const notHere = (job: string, reason: string): Ended => ({
  status: 1,
  output: `halo-cron: shop.${job} is not started here: ${reason}\n`,
  errors: "",
});

test("of two hosts whose timers fire for one due time, one has it, and the other one says so", async () => {
  const claims = await Promise.all([
    claim(a, "clean", "2026-11-29T10:00:00.020Z"),
    claim(b, "clean", "2026-11-29T10:00:01.900Z"),
  ]);
  expect(claims.toSorted((x, y) => Number(x.status) - Number(y.status))).toEqual([
    mine,
    notHere("clean", "another backend has the due time 2026-11-29T10:00:00Z"),
  ]);
});

test("a slow host has lost the due time after the run as well, and the next one is free", async () => {
  expect(await claim(a, "slow", "2026-11-29T10:00:00.100Z")).toEqual(mine);
  expect(await release(a, "slow")).toEqual(mine);
  expect(await claim(b, "slow", "2026-11-29T10:00:50Z")).toEqual(
    notHere("slow", "another backend has the due time 2026-11-29T10:00:00Z"),
  );
  expect(await claim(b, "slow", "2026-11-29T11:00:00.100Z")).toEqual(mine);
});

test("a job that still runs is started nowhere, with a timer or by hand; its own host alone ends the run", async () => {
  expect(await claim(a, "long", "2026-11-29T10:00:00Z")).toEqual(mine);
  expect(await claim(b, "long", "2026-11-29T11:00:00Z")).toEqual(notHere("long", "a backend still runs it"));
  expect(await release(b, "long")).toEqual(mine);
  expect(await claim(b, "long", "")).toEqual(notHere("long", "a backend still runs it"));
  expect(await release(a, "long")).toEqual(mine);
  expect(await claim(b, "long", "")).toEqual(mine);
});

test.each([
  ["a minute after", "hourly UTC", "2026-11-29T10:01:00.500Z", undefined],
  ["days after", "*-*-* 03:00:00 UTC", "2026-11-29T10:00:00Z", undefined],
  ["the last one of a calendar", "2026-11-28 UTC", "2026-11-29T00:00:00Z", undefined],
  ["at it", "*-*-* 03:00 UTC", "2026-11-29T03:00:00Z", "2026-11-29T03:00:00Z"],
  ["within the minute", "*:0/15:30 UTC", "2026-11-29T10:46:29.900Z", "2026-11-29T10:45:30Z"],
])("the due time: %s", async (name, calendar, fired, due) => {
  const job = name.replaceAll(" ", "-");
  expect(await claim(a, job, fired, calendar)).toEqual(due ? mine : notHere(job, "this host is late for its due time"));
  const keys = await redis.ask((each) => each.keys(`halo:cron:shop:${job}:*`));
  expect(keys.toSorted()).toEqual(due ? [`halo:cron:shop:${job}:${due}`, `halo:cron:shop:${job}:running`] : []);
});

test("a due time is known for a day, a run for its time and the end of it", async () => {
  expect(await claim(a, "kept", "2026-11-29T10:00:00Z")).toEqual(mine);
  const left = (key: string) => redis.ask((each) => each.ttl(`halo:cron:shop:kept:${key}`));
  expect(await left("2026-11-29T10:00:00Z")).toSatisfy((s: number) => s > 86_000 && s <= 86_400);
  expect(await left("running")).toSatisfy((s: number) => s > 120 && s <= 180);
});

test("the user of the claims reads nothing, and sets no other key", async () => {
  const client = new Redis({
    port: redis.port,
    username: login.user,
    password: login.password,
    enableReadyCheck: false,
  });
  try {
    expect(await client.set("halo:cron:shop:a:b", "x", "EX", 9, "NX")).toBe("OK");
    for (const refused of [
      () => client.get("halo:cron:shop:a:b"),
      () => client.set("halo:cron:shop:a:b", "y", "GET"),
      () => client.set("total_visits", "0"),
      () => client.del("halo:cron:shop:a:b"),
      () => client.keys("*"),
    ])
      await expect(refused()).rejects.toThrow(/^NOPERM/);
  } finally {
    client.disconnect();
  }
});

test("without a Redis that answers nobody runs the job, the unit fails with the fix, and the due time stays free", async () => {
  const fails = (why: string): Ended => ({
    status: 255,
    output: "",
    errors: expect.stringMatching(
      new RegExp(
        `^halo-cron: shop\\.dark is not started, for another backend may run it: Redis at .* does not answer as it should ` +
          `\\(${why}\\)\\. Fix: npm run verify; then, on one backend: systemctl start halo-cron@shop\\.dark\n$`,
      ),
    ),
  });
  const due = "2026-11-29T10:00:00Z";
  await redis.signal("SIGSTOP");
  const [silent, away] = await Promise.all([claim(a, "dark", due), claim(alone, "dark", due)]);
  await redis.signal("SIGCONT");
  expect(silent).toEqual(fails("timed out"));
  expect(away).toEqual(fails(".*refused"));
  expect(await claim(b, "dark", due)).toEqual(mine);
});

test("a Redis that starts meanwhile is waited for", async () => {
  await redis.signal("SIGTERM");
  const claimed = claim(a, "patient", "2026-11-29T10:00:00Z");
  await redis.start({}, { load: false });
  expect(await claimed).toEqual(mine);
});
