import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { readBackup } from "../backup/archive.ts";

const folder = mkdtempSync(join(tmpdir(), "halo-backup-"));
const file = join(folder, "backup.tar");
const sh = (line: string) => execFileSync("sh", ["-c", line], { cwd: folder });
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  writeFileSync(join(folder, "redis.rdb"), `REDIS${"x".repeat(5000)}`);
  sh(
    "touch -d 2026-01-02T03:04:05Z redis.rdb; sha256sum redis.rdb > SHA256SUMS; tar -cf backup.tar redis.rdb SHA256SUMS",
  );
});

test("a whole backup says when its data were current", () =>
  expect(readBackup(file)).toEqual({
    taken: new Date("2026-01-02T03:04:05Z"),
    size: 10_240,
    app: "",
    stores: ["redis"],
  }));

test("a backup of an app's own stores says whose it is", () => {
  sh("echo shop > APP; sha256sum redis.rdb APP > SHA256SUMS; tar -cf backup.tar redis.rdb APP SHA256SUMS");
  expect(readBackup(file)).toMatchObject({ app: "shop", stores: ["redis"] });
});

const withDump = () =>
  sh(
    "echo PGDMP > postgres.dump; sha256sum redis.rdb postgres.dump > SHA256SUMS; tar -cf backup.tar redis.rdb postgres.dump SHA256SUMS",
  );

test("a backup of both stores says so, and one of PostgreSQL alone", () => {
  withDump();
  expect(readBackup(file).stores).toEqual(["redis", "postgres"]);
  sh("sha256sum postgres.dump > SHA256SUMS; tar -cf backup.tar postgres.dump SHA256SUMS");
  expect(readBackup(file).stores).toEqual(["postgres"]);
});

const flip = (at: number) => () => {
  const bytes = readFileSync(file);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(file, bytes);
};
test.each([
  ["missing", () => rmSync(file), "cannot be read"],
  ["empty", () => truncateSync(file), "is empty"],
  ["no tar", () => writeFileSync(file, "x".repeat(10_240)), "is no backup"],
  ["shorter than a header", () => truncateSync(file, 100), "is cut off"],
  ["cut off in its data", () => truncateSync(file, 3000), "is cut off"],
  ["cut off after its last file", () => truncateSync(file, 512 + 5120 + 512 + 512), "is cut off"],
  ["changed in its data", flip(1000), "is damaged"],
  ["changed in its first header", flip(0), "is no backup"],
  ["changed in its second header", flip(512 + 5120), "is damaged"],
  ["without SHA256SUMS", () => sh("tar -cf backup.tar redis.rdb"), "it has no SHA256SUMS"],
  ["without redis.rdb", () => sh("tar -cf backup.tar SHA256SUMS"), "it has no redis.rdb"],
  [
    "without the dump that it names",
    () => [withDump(), sh("tar -cf backup.tar redis.rdb SHA256SUMS")],
    "it has no postgres.dump",
  ],
  ["changed in its dump", () => [withDump(), flip(512 + 5120 + 512)()], "postgres.dump differs from SHA256SUMS"],
  ["of nothing", () => sh(": > SHA256SUMS; tar -cf backup.tar SHA256SUMS"), "neither redis.rdb nor postgres.dump"],
])("a backup that is %s is refused", (_, spoil, words) => {
  spoil();
  expect(() => readBackup(file)).toThrow(words);
});
