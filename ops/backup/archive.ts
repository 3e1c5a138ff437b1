import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { findHost, remote } from "../cluster/hosts.ts";
import { type Host, inGroup } from "../cluster/inventory.ts";
import { UserError } from "../lib/cli.ts";

/** The parts that a backup can hold: each group with data of its own, and its file in the archive. */
const files = { redis: "redis.rdb", postgres: "postgres.dump" } as const;
export type Store = keyof typeof files;

/**
 * Reads a backup file and proves it whole: a tar with a file for each store, as SHA256SUMS beside them says.
 * Gives when its data were current, its size in bytes, its stores, and the app whose own stores they are ("" for the shared ones); throws a
 * UserError that names its problem.
 */
export function readBackup(file: string): { taken: Date; size: number; app: string; stores: Store[] } {
  const wrong = (what: string) => new UserError(`${file} ${what}`, "take another backup; nothing has been changed");
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw wrong(`cannot be read (${error instanceof Error ? error.message : error})`);
  }
  if (bytes.length === 0) throw wrong("is empty");

  const members = new Map<string, { content: Buffer; time: number }>();
  let at = 0;
  while (bytes.length - at >= 512 && bytes[at] !== 0) {
    const header = bytes.subarray(at, at + 512);
    const text = (from: number, to: number) => header.toString("latin1", from, to).replace(/\0.*/s, "");
    const octal = (from: number, to: number) => Number.parseInt(text(from, to), 8);
    // The checksum counts its own eight bytes as spaces.
    const sum = header.reduce((all, byte, i) => all + (i >= 148 && i < 156 ? 32 : byte), 0);
    if (sum !== octal(148, 156)) throw wrong(at === 0 ? "is no backup" : "is damaged");
    const content = bytes.subarray(at + 512, at + 512 + octal(124, 136));
    if (content.length < octal(124, 136)) throw wrong("is cut off");
    members.set(text(0, 100), { content, time: octal(136, 148) });
    at += 512 + Math.ceil(content.length / 512) * 512;
  }
  if (bytes.length - at < 1024) throw wrong("is cut off");

  const sums = members.get("SHA256SUMS")?.content.toString().split("\n");
  if (!sums) throw wrong("is no backup of Halo's: it has no SHA256SUMS");
  const stores = (Object.keys(files) as Store[]).filter((store) => {
    const name = files[store];
    const content = members.get(name)?.content;
    if (!content) {
      // A backup from before there was such a store does not name it either.
      if (sums.some((line) => line.endsWith(`  ${name}`))) throw wrong(`is no backup of Halo's: it has no ${name}`);
      return false;
    }
    const sum = createHash("sha256").update(content).digest("hex");
    if (!sums.includes(`${sum}  ${name}`)) throw wrong(`is damaged: ${name} differs from SHA256SUMS`);
    return true;
  });
  const [first] = stores;
  if (!first) throw wrong(`is no backup of Halo's: it has neither ${Object.values(files).join(" nor ")}`);
  const taken = new Date((members.get(files[first])?.time ?? 0) * 1000);
  return { taken, size: bytes.length, app: members.get("APP")?.content.toString().trim() ?? "", stores };
}

/** The hosts that have some of these stores, each with the ones that it has; without an argument, of all stores. */
export function storeHosts(stores = Object.keys(files) as Store[]): { host: Host; stores: Store[] }[] {
  const names = new Set(stores.map((store) => findHost(inGroup(store)[0]?.name).name));
  return [...names].map((name) => {
    const host = findHost(name);
    return { host, stores: stores.filter((store) => host.groups.includes(store)) };
  });
}

/** The command that runs one as root on a host. */
export const onHost = (host: Host, ...argv: string[]): string[] => remote(host, "sudo", ...argv);

/** The command of halo-backup for an app's own stores, or with "" for the shared ones. */
export const haloBackup = (app: string, ...argv: string[]): string[] => [
  "halo-backup",
  ...(app ? ["--app", app] : []),
  ...argv,
];
