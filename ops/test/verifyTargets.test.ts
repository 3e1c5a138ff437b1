import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { capture } from "../lib/exec.ts";
import { root } from "../lib/paths.ts";

// As a busy host makes it: one scrape of a target comes too late, and the next one does not.
const late = 'Get "http://exporter.invalid/metrics": context deadline exceeded';
let asked = 0;
const prometheus = createServer(({ url = "" }, response) => {
  asked += url.includes("/targets") ? 1 : 0;
  const target = (job: string, lastError: string) => ({
    scrapeUrl: `http://${job}.invalid/metrics`,
    labels: { job, instance: "balancer" },
    health: lastError ? "down" : "up",
    lastError,
    scrapeInterval: job === "nginx" ? "500ms" : "0h0m1s",
  });
  // At no moment do both answer.
  const activeTargets = [target("process", asked < 3 ? late : ""), target("nginx", asked < 3 ? "" : late)];
  response.end(JSON.stringify({ data: { activeTargets, groups: [], result: [] } }));
});
afterEach(() => prometheus.close());

test("verify waits for the next scrape of a target that answered too late", async () => {
  await new Promise<void>((resolve) => prometheus.listen(0, "127.0.0.1", resolve));
  const { port } = prometheus.address() as AddressInfo;
  const file = join(root, "ansible/roles/monitoring/files/verify.py");
  const output = await capture(["env", `PROMETHEUS=http://127.0.0.1:${port}`, "python3", file]);
  expect(output).toContain("ok|all 2 targets answer prometheus");
  expect(asked).toBe(3);
});
