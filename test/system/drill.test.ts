import { readFileSync } from "node:fs";
import { beforeEach, expect, test } from "vitest";
import { armUndo } from "../../ops/cluster/failsafe.ts";
import { openSession } from "../../ops/cluster/session.ts";
import { localPath } from "../../ops/lib/paths.ts";
import { explainByJournals, must, on, sh } from "../lib/hosts.ts";
import { atNight, wholeNight } from "../lib/night.ts";

beforeEach(explainByJournals);

test("beside one that was killed none starts, and the command that it prints undoes that", async () => {
  const healed = "/run/halo-test-healed";
  const undo = { on: ["backend1"], script: `touch ${healed}` };
  await armUndo(openSession(console.log, AbortSignal.timeout(30_000)), { name: "killed", undo, limit: 60 }, 1);
  for (const args of [
    ["drill", "worker"],
    ["fault", "disk"],
  ]) {
    const { code, output } = await sh(["ops/run", ...args]);
    expect(code, output).toBe(1);
    expect(output).toMatch(/halo-drill-killed\S* is armed: a killed drill or fault will put itself right in 1[12]\d s/);
    if (args[0] === "fault") await must(["sh", "-c", output.match(/npm run ssh .*/)?.[0] ?? "false"]);
  }
  const left = `systemctl list-units --no-legend --all 'halo-drill*'; rm ${healed}`;
  expect(await on("backend1", left)).toBe("");
});

const chosen = ["worker", ...(wholeNight ? ["redis", "blackhole", "postgres", "nginx"] : [])];

async function drill(names: string[]): Promise<void> {
  const { code, output } = await sh(["ops/run", "drill", ...names]);
  console.log(output);
  expect(code, output).toBe(0);
  const table = readFileSync(localPath("reports", "drills.md"), "utf8");
  expect(output).toContain(table.trim());
  for (const name of names)
    expect(table).toMatch(new RegExp(`^\\| ${name} +\\| \\d{4,} .*\\| \\d+ / \\d+ / \\d+ +\\| held +\\|`, "m"));
  const { rate, rows } = JSON.parse(readFileSync(localPath("reports", "drills.json"), "utf8"));
  for (const { tally, broken } of rows) {
    expect(broken).toEqual([]);
    expect(tally.requests).toBeGreaterThan(6 * rate);
  }
}

test("a chosen set of drills: every budget holds, and a table says so", () => drill(chosen));

atNight("a backend more and one less under load", () => drill(["scale"]), 1_200_000);

atNight("by https: the usual load, overload's wrk, and the drill of certificates", { timeout: 1_200_000 }, async () => {
  const { code, output } = await sh(["ops/run", "drill", "--https", "worker", "overload", "certificate"]);
  console.log(output);
  expect(code, output).toBe(0);
  expect(output).toMatch(/wrk: [1-9]\d{3,} answers/);
  expect(output).toMatch(/certificate: 2 renewals; \d+ of \d+ new connections resumed a session/);
});
