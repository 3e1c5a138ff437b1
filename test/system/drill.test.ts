import { readFileSync } from "node:fs";
import { beforeEach, expect, test } from "vitest";
import { own } from "../../ops/lib/project.ts";
import { explainByJournals, sh } from "../lib/hosts.ts";

beforeEach(explainByJournals);

const chosen = ["worker", "blackhole", "redis", "postgres", "nginx"];

test("a chosen set of drills: every budget holds, and a table says so", async () => {
  const { code, output } = await sh(["ops/run", "drill", ...chosen]);
  console.log(output);
  expect(code, output).toBe(0);
  const table = readFileSync(own("reports", "drills.md"), "utf8");
  expect(output).toContain(table.trim());
  for (const name of chosen)
    expect(table).toMatch(new RegExp(`^\\| ${name} +\\| \\d{4} .*\\| \\d+ / \\d+ / \\d+ +\\| held +\\|`, "m"));
  const { rate, rows } = JSON.parse(readFileSync(own("reports", "drills.json"), "utf8"));
  for (const { tally, broken } of rows) {
    expect(broken).toEqual([]);
    expect(tally.requests).toBeGreaterThan(6 * rate);
  }
});
