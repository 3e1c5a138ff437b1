import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { madeOnce } from "../build/madeOnce.ts";

const folder = mkdtempSync(join(tmpdir(), "halo-made-once-"));
afterAll(() => rmSync(folder, { recursive: true }));
const cache = join(folder, "cache");
let made = 0;
const make = (target: string, text: string) => () => {
  made++;
  mkdirSync(target);
  writeFileSync(join(target, "run"), text, { mode: 0o755 });
};

test("a folder is made once for each key, with its modes; the cache keeps the last one", async () => {
  for (const [target, key, times] of [
    ["first", "a", 1],
    ["second", "a", 1],
    ["third", "b", 2],
    ["fourth", "a", 3],
  ] as const) {
    await madeOnce(cache, key, join(folder, target), make(join(folder, target), key));
    expect([made, readFileSync(join(folder, target, "run"), "utf8")]).toEqual([times, key]);
    expect(statSync(join(folder, target, "run")).mode & 0o777).toBe(0o755);
    expect(readdirSync(cache)).toEqual([key]);
  }
});

test("a folder that could not be made is not kept", async () => {
  const fails = madeOnce(cache, "c", join(folder, "fails"), () => {
    throw new Error("no network");
  });
  await expect(fails).rejects.toThrow("no network");
  expect(readdirSync(cache)).not.toContain("c");
});
