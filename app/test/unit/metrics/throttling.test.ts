import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { groupFolders } from "../../../src/metrics/cgroup.ts";
import { readBytes } from "../../../src/metrics/memory.ts";
import { readThrottling } from "../../../src/metrics/throttling.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "halo-cgroup-"));
});
afterEach(() => rmSync(root, { recursive: true }));

const group = (path: string, stat?: string) => {
  mkdirSync(join(root, path), { recursive: true });
  if (stat) writeFileSync(join(root, path, "cpu.stat"), stat);
};
const held = (periods: number, microseconds: number) =>
  `usage_usec 7\nnr_periods 99\nnr_throttled ${periods}\nthrottled_usec ${microseconds}\nnr_bursts 0\n`;

test("a group's value includes its parents'; a group without a limit adds none", () => {
  group("system.slice/halo@demo.service", held(2, 500_000));
  group("system.slice", "usage_usec 7\n");
  group("", held(1, 250_000));
  expect(readThrottling(groupFolders("0::/system.slice/halo@demo.service\n", root))).toEqual({
    periods: 3,
    seconds: 0.75,
  });
});

test("in a container the path begins with folders outside", () => {
  group("system.slice/halo@demo.service", held(2, 500_000));
  const outside = "0::/halo-lab/docker/0123/system.slice/halo@demo.service\n";
  expect(readThrottling(groupFolders(outside, root))).toEqual({ periods: 2, seconds: 0.5 });
});

test.each([
  ["no hierarchy of version 2", "12:cpu,cpuacct:/user.slice\n"],
  ["no file that says so", "0::/elsewhere\n"],
  ["no answer at all", ""],
])("%s gives no value", (_, groups) => {
  expect(readThrottling(groupFolders(groups, root))).toBeUndefined();
});

test("a group's memory is a number, and no limit is none", () => {
  group("system.slice");
  const folder = join(root, "system.slice");
  writeFileSync(join(folder, "memory.current"), "99999\n");
  writeFileSync(join(folder, "memory.stat"), "anon 12345\nanon_thp 7\n");
  writeFileSync(join(folder, "memory.max"), "max\n");
  expect(readBytes(folder, "memory.current")).toBe(99_999);
  expect(readBytes(folder, "memory.stat", "anon")).toBe(12_345);
  expect(readBytes(folder, "memory.max")).toBeUndefined();
  expect(readBytes(folder, "absent")).toBeUndefined();
});
