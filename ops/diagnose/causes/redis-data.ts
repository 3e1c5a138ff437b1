import type { Redis, RedisServer } from "../snapshot.ts";
import { type Cause, eachRedis } from "./types.ts";

export const redisData: Cause = {
  title: "Redis cannot read its data",
  runbook: "redisdown",
  store: "redis",
  next: ["npm run ssh -- HOST sudo journalctl -u REDIS_UNIT -n 50"],
  explainedBy: {},
  detect: eachRedis((redis, server) => {
    if (redis.answers && redis.persistence.loading !== "1") return [];
    const damage = damageOf(redis, server);
    return damage ? [{ since: redis.unit.since, ...damage }] : [];
  }),
};

/** Why Redis cannot read its data, by its own words, and the repair; undefined where it says nothing of that. */
function damageOf(
  { words, files, folder }: Redis,
  { app }: RedisServer,
): { evidence: string[]; next: string[] } | undefined {
  const aof = `${folder}/appendonlydir`;
  const keep = [
    "npm run ssh -- HOST sudo systemctl stop REDIS_UNIT",
    `npm run ssh -- HOST sudo cp -a ${aof} ${aof}.damaged`,
  ];
  const start = ["npm run ssh -- HOST sudo systemctl start REDIS_UNIT"];
  const restore = [
    app === undefined
      ? "npm run restore -- FILE # the newest of .halo/backups, or of /var/backups/halo on HOST"
      : "npm run ssh -- HOST sudo halo-backup --app APP restore FILE # the newest of /var/backups/halo/APP on HOST",
  ];
  const said = words.map((each) => `it says: ${each}`);
  const has = (pattern: RegExp) => words.find((each) => pattern.test(each));
  if (files.length > 0 && !files.includes("appendonly.aof.manifest"))
    return {
      evidence: [`${aof} has no manifest, but ${files.join(", ")}: Redis would begin with nothing`, ...said],
      next: [...keep, ...restore],
    };
  if (has(/permission denied/i))
    return {
      evidence: [`it may not read or write ${folder}`, ...said],
      next: [
        `npm run ssh -- HOST sudo ls -lR ${folder}`,
        `npm run ssh -- HOST sudo chown -R redis:redis ${folder}`,
        ...start,
      ],
    };
  const incr = has(
    /(bad file format|unexpected end of file|unrecoverable error) reading the append only file \S*\.incr\.aof/i,
  );
  const file = incr?.match(/\S*\.incr\.aof/)?.[0];
  if (file)
    return {
      evidence: [`the end of ${aof}/${file} is damaged`, ...said],
      next: [
        ...keep,
        `npm run ssh -- HOST "yes | sudo redis-check-aof --fix ${aof}/${file}" # names the part that it cuts off`,
        ...start,
      ],
    };
  return words.length > 0 ? { evidence: [`${aof} is damaged`, ...said], next: [...keep, ...restore] } : undefined;
}
