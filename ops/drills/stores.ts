/** Redis that dies, has no disk left, or no memory; PostgreSQL that dies. */
import { maxmemory } from "../cluster/maxmemory.ts";
import { emulated } from "../cluster/provider.ts";
import { pause } from "../cluster/session.ts";
import { backends, postgres, redis } from "../cluster/topology.ts";
import { now } from "../lib/clock.ts";
import { pythonScript, shellScript } from "../lib/script.ts";
import { isRefusal, isWritten } from "../loadgen/sample.ts";
import { processes, untilAnswered } from "./steps.ts";
import type { Drill, DrillSession, Outcome } from "./types.ts";

const ofRedis = ["RedisDown", "RedisPersistenceFailing"];
const ofSite = ["SiteErrors", "SiteErrorsCritical"];

// The drill's own program: counts ids and fills the file. See there for its arguments.
const fillFile = new URL("fill.py", import.meta.url);
// Ids of 12 s at 5,000 visits a second: two thirds of the most that npm run bench reaches on two cores.
const busiestIds = 60_000;
const freeBytes = 128 * 1024; // a second of the drill's own visits takes about 40 kB

/** Brings the append-only file to its worst or, without ids, back to just below the size at which it is rewritten. */
async function fill(session: DrillSession, ids: number): Promise<string> {
  const { output } = await session.on(redis, pythonScript(fillFile, ids, freeBytes));
  const [size = 0, bound = 0] = output.split(" ").map((bytes) => Number(bytes) / 2 ** 20);
  return `${size.toFixed(1)} of ${bound.toFixed(1)} MiB`;
}

const slowRedis = (action: "start" | "undo") => shellScript(new URL("slow-redis.sh", import.meta.url), action);

/** Kills Redis so many times; says how long it loaded its file each time, in seconds. */
async function killRedis(
  session: DrillSession,
  times: number,
  how: string,
): Promise<{ failedAt: number; note: string }> {
  let failedAt = 0;
  const seconds: string[] = [];
  let size = "";
  for (let i = 1; i <= times; i++) {
    size = await fill(session, 0);
    const { at } = await session.on(redis, "echo; systemctl kill -s KILL redis-server");
    failedAt ||= at;
    const { output } = await session.on(redis, shellScript(new URL("await-redis.sh", import.meta.url)));
    seconds.push(output);
    session.say(`Redis${how} was killed and is back after loading ${size} for ${output} s (${i})`);
    await pause(session, 1);
  }
  return { failedAt, note: `${size} of append-only file${how} loaded in ${seconds.join(", ")} s` };
}

export const redisKills: Drill = {
  name: "redis",
  what: "kill -9 of Redis with its longest file: five times, and three times at half its speed (where CPUs are emulated twice, and once)",
  limit: 150,
  budget: { slowest: 1500 },
  causes: { alerts: ofRedis, hosts: [redis] },
  // More visits than a drill can send would make this file: see fill.py.
  prepare: (session) => fill(session, busiestIds),
  run: async (session) => {
    // An emulated CPU loads the file for 10 s, and a minute passes from one kill to the next.
    const [times, slowTimes] = emulated() ? [2, 1] : [5, 3];
    const usual = await killRedis(session, times, "");
    // It shares one CPU with a loop that never waits and with all else there: measured, it loads 2 to 3 times as long.
    await session.on(redis, slowRedis("start"));
    const half = await killRedis(session, slowTimes, " at half speed");
    return { failedAt: usual.failedAt, overAt: await untilAnswered(session, now()), notes: [usual.note, half.note] };
  },
  undo: { on: [redis], script: slowRedis("undo") },
};

const restartPostgres = (...args: string[]) => shellScript(new URL("restart-postgres.sh", import.meta.url), ...args);

export const postgresKills: Drill = {
  name: "postgres",
  what: "kill -9 of PostgreSQL, five times (once where CPUs are emulated), and a restart, under writes as well",
  limit: 150, // an emulated VM, which gets five times as long, has needed 180 s for one of them
  budget: { slowest: 1500 },
  causes: { alerts: ["PostgresDown", "PoolExhausted", "DatabaseSlow", ...ofSite], hosts: [postgres, ...backends, ""] },
  writes: true,
  run: async (session) => {
    const away: NonNullable<Outcome["away"]> = [];
    const times = emulated() ? 1 : 5;
    for (const how of [...Array(times).fill("kill -s KILL --kill-whom=main"), "restart"]) {
      const { at: from } = await session.on(postgres, restartPostgres("begin", ...how.split(" ")));
      const { at: back } = await session.on(postgres, restartPostgres("await"));
      // The service finds it again with its next attempt to connect.
      away.push({ from, to: back + 1000 });
      session.say(`PostgreSQL was ended (${how}) and is back`);
      await session.until("a row is written again", () =>
        session.writes().some((sample) => sample.at > back && isWritten(sample)),
      );
      await pause(session, 1);
    }
    return { failedAt: away[0]?.from ?? now(), overAt: now(), away };
  },
};

/** Visits are refused for some seconds, and no process of these hosts dies of it. */
async function refused(session: DrillSession, hosts: string[], cause: string, undo: string): Promise<Outcome> {
  const before = await processes(session, hosts);
  const { at: failedAt } = await session.on(redis, `echo\n${cause}`);
  await session.until("a visit is refused", () =>
    session.samples().some((sample) => sample.at > failedAt && isRefusal(sample)),
  );
  session.say("visits are refused");
  await pause(session, 4);
  const { at } = await session.on(redis, `${undo}\necho`);
  const overAt = await untilAnswered(session, at);
  const after = await processes(session, hosts);
  return {
    failedAt,
    overAt,
    notes: [`counting again ${((overAt - at) / 1000).toFixed(1)} s after there was room`],
    broken: before === after ? [] : [`a process did not live through it\n${before}\n${after}`],
  };
}

const folder = "/var/lib/redis";
const smallDisk = (action: "mount" | "undo") => shellScript(new URL("small-disk.sh", import.meta.url), action);

export const disk: Drill = {
  name: "disk",
  what: "Redis' disk is full, then has room again",
  limit: 90,
  budget: { refusals: "service" },
  causes: { alerts: [...ofRedis, ...ofSite], hosts: [redis, ""] },
  prepare: (session) => session.on(redis, smallDisk("mount")),
  run: (session) => refused(session, backends, `head -c 1G /dev/zero >${folder}/fill || true`, `rm ${folder}/fill`),
  undo: { on: [redis], script: smallDisk("undo") },
};

export const memory: Drill = {
  name: "memory",
  what: "Redis' maxmemory is reached, then there is room again",
  limit: 60,
  budget: { refusals: "service" },
  causes: { alerts: [...ofRedis, ...ofSite], hosts: [redis, ""] },
  prepare: (session) => session.on(redis, maxmemory.keep),
  run: (session) => refused(session, [redis, ...backends], maxmemory.reach, maxmemory.restore),
  undo: { on: [redis], script: maxmemory.restore },
};
