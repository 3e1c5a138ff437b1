import { plural } from "../format.ts";
import { limits } from "../limits.ts";
import { isAvailable, onset, reportOf } from "../readings.ts";
import type { Snapshot } from "../snapshot.ts";
import { type Cause, eachRedis } from "./types.ts";

export const redisPersistence: Cause = {
  title: "Redis persistence failing",
  runbook: "redispersistencefailing",
  next: [
    "npm run ssh -- HOST sudo journalctl -u REDIS_UNIT -n 50",
    "npm run ssh -- HOST sudo ls -ld REDIS_FOLDER REDIS_FOLDER/appendonlydir",
    "npm run ssh -- HOST sudo REDIS_CLI bgrewriteaof",
  ],
  explainedBy: { disk: "here", "redis-data": "here" },
  detect: eachRedis(({ persistence, folder, writeErrors }, { app }, s, host) => {
    const wrong = Object.entries(persistence).filter(([key, value]) => key.endsWith("_status") && value !== "ok");
    const evidence = wrong.map(([key, value]) => `${key} is ${value} (folder ${folder})`);
    // While it loads the file it is not switched on yet.
    if (persistence.aof_enabled === "0" && persistence.loading !== "1")
      evidence.push("the append-only file is off: a restart loses data");
    if (writeErrors > 0)
      evidence.push(`it has ended itself at ${plural(writeErrors, "write error")} in the last ${s.window} s`);
    const isRootCause = !onFullDisk(s, host, folder); // else it is the disk
    // Prometheus has the metrics of the shared one alone.
    const since = app === undefined ? onset(s, "persistence", host, (ok) => ok === 0) : undefined;
    return evidence.length > 0 ? [{ evidence, isRootCause, since }] : [];
  }),
};

/** Whether the disk below a folder is one of the bad ones. */
function onFullDisk(s: Snapshot, host: string, folder: string): boolean {
  const { disks } = reportOf(s, host) ?? {};
  const below = isAvailable(disks)
    ? disks.filter(({ mount }) => `${folder}/`.startsWith(mount === "/" ? "/" : `${mount}/`))
    : [];
  const disk = below.toSorted((a, b) => b.mount.length - a.mount.length)[0];
  return disk !== undefined && disk.free < limits.disk;
}
