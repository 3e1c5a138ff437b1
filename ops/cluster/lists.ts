import { randomBytes } from "node:crypto";
import { capture } from "../lib/exec.ts";
import { findHost, remote } from "./hosts.ts";
import { inGroup } from "./inventory.ts";

/** The workshop's lists, as app/src/workshop/listCache.ts has their key in Redis and their names. */
const key = "workshop:lists";
const names = ["customers", "vehicles", "services", "lines"];

/** Has every worker read its lists from PostgreSQL: rows that were written past the service would otherwise appear a minute later. */
export async function renewLists(): Promise<void> {
  const generation = randomBytes(8).toString("hex");
  const fields = names.flatMap((name) => [name, generation]);
  const redis = inGroup("redis")[0]?.name ?? "";
  // Without Redis no worker answers from its memory.
  await capture(remote(findHost(redis), "sudo", "halo-redis-cli", "hset", key, ...fields)).catch(() => {});
}
