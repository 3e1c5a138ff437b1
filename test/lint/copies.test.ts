import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { GENERATIONS_KEY } from "../../app/src/workshop/listCache.ts";
import { resources } from "../../app/src/workshop/resources.ts";
import { root } from "../../ops/lib/paths.ts";

// Values that stand in two languages or programs, where neither file can read the other one.

/** The numbers that a pattern's group finds in a file. */
const numbers = (file: string, pattern: RegExp): number[] =>
  [...readFileSync(join(root, file), "utf8").matchAll(pattern)].map(([, value]) => Number(value));

test("the controller keeps as many releases as a host", () => {
  const [kept, ...others] = numbers("ops/lib/releases.ts", /^export const kept = (\d+);/gm);
  expect([kept, others]).toEqual([expect.any(Number), []]);
  expect(numbers("ansible/roles/release/files/halo-release", /^keep=(\d+)$/gm)).toEqual([kept]);
});

test("the metrics read every try that nginx makes of a request", () => {
  const [tries, ...others] = numbers("nginx/partials/upstreams.conf.j2", /^\s*proxy_next_upstream_tries (\d+);/gm);
  expect([tries, others]).toEqual([expect.any(Number), []]);
  const each = Array.from({ length: tries ?? 0 }, (_, i) => i + 1);
  const mtail = "ansible/roles/nginx/files/halo-edge.mtail";
  expect(numbers(mtail, /\(\?P<u(\d+)>/g)).toEqual(each);
  expect(numbers(mtail, /\(\?P<s(\d+)>/g)).toEqual(each);
  for (const status of [504, 502]) expect(numbers(mtail, new RegExp(`\\$s(\\d+) == "${status}"`, "g"))).toEqual(each);
});

test("the preload measures other apps' requests in the service's own buckets", () => {
  const buckets = (file: string) =>
    /^const BUCKETS_S = \[([^\]]+)\];$/m.exec(readFileSync(join(root, file), "utf8"))?.[1]?.match(/[\d.]+/g);
  expect(buckets("ansible/roles/app/files/preload.cjs")).toEqual(buckets("app/src/metrics/requests.ts"));
});

test("the commands know the workshop's lists by their key in Redis and their names", () => {
  const file = readFileSync(join(root, "ops/cluster/lists.ts"), "utf8");
  expect(file).toContain(`const key = "${GENERATIONS_KEY}";`);
  expect(JSON.parse(file.match(/^const names = (\[.+\]);$/m)?.[1] ?? "null")).toEqual(Object.keys(resources));
  for (const rights of ["ansible/roles/redis/defaults/main.yml", "ops/loopback/redis.ts"])
    expect(readFileSync(join(root, rights), "utf8")).toContain(` ~${GENERATIONS_KEY} `);
});
