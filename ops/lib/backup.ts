import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, openSync, readFileSync } from "node:fs";
import { findHost, ssh } from "./cluster.ts";
import { Problem } from "./problem.ts";
import { inGroup } from "./project.ts";

/**
 * Reads a backup file and proves it whole: a tar with redis.rdb, as SHA256SUMS beside it says.
 * Gives when its data were current and its size in bytes; throws a Problem that says what is wrong with it.
 */
export function readBackup(file: string): { taken: Date; size: number } {
  const wrong = (what: string) => new Problem(`${file} ${what}`, "take another backup; nothing has been changed");
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

  const rdb = members.get("redis.rdb");
  const sums = members.get("SHA256SUMS");
  if (!rdb || !sums) throw wrong(`is no backup of Halo's: it has no ${rdb ? "SHA256SUMS" : "redis.rdb"}`);
  const sum = createHash("sha256").update(rdb.content).digest("hex");
  if (!sums.content.toString().split("\n").includes(`${sum}  redis.rdb`))
    throw wrong("is damaged: redis.rdb is not what SHA256SUMS says");
  return { taken: new Date(rdb.time * 1000), size: bytes.length };
}

/** The command that runs one as root on the host that has Redis. */
export const onRedis = (...argv: string[]): string[] => ssh(findHost(inGroup("redis")[0]?.name), "sudo", ...argv);

/**
 * Runs a command to its end, with a file as its standard input or none; gives what it printed.
 * Throws a Problem with its last words when it fails.
 */
export function hear(argv: string[], input?: string): Buffer {
  const stdin = input === undefined ? "ignore" : openSync(input, "r");
  const [program = "", ...args] = argv;
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    stdio: [stdin, "pipe", "pipe"],
    maxBuffer: Number.POSITIVE_INFINITY,
  });
  if (stdin !== "ignore") closeSync(stdin);
  if (status === 0) return stdout;
  const words = error?.message ?? `${stdout}${stderr}`.trim();
  throw new Problem(words || `exit status ${status} of ${argv.join(" ")}`, "npm run verify shows what is wrong");
}
