import { beforeEach, expect, test } from "vitest";
import { firstId } from "../../ops/seed/statements.ts";
import { app } from "../lib/app.ts";
import { backends, explainByJournals, on, start, until } from "../lib/hosts.ts";
import { visit } from "../lib/http.ts";

beforeEach(explainByJournals);

async function startBench() {
  const bench = start("bench/visits.ts", ["--rounds", "1", "--seconds", "1"]);
  await until("the bare server answers", 60_000, async () => (await visit()).visit.container_id === "bare");
  return bench;
}

async function everyBackendIsItself(): Promise<void> {
  for (let i = 0; i < 4 * backends.length; i++) expect(backends).toContain((await visit()).visit.container_id);
  for (const name of backends)
    expect(
      await on(
        name,
        `nft list ruleset 2>/dev/null | grep -E 'halo_bench|dport (${app.port + 1}|${app.port + 9}) '; ls /run/halo-*.cjs 2>/dev/null; systemctl list-units --all --no-legend 'halo-bare*' 'halo-fastify*' 'halo-bench*'`,
      ),
    ).toBe("");
}

test("bench, interrupted: every backend answers as itself, and nothing is left on it", async () => {
  const { child, ended, output } = await startBench();
  child.kill("SIGINT");
  expect(await ended, output()).toBe(1);
  expect(output()).toContain("interrupted; everything was put back");
  await everyBackendIsItself();
});

test("bench, killed: the hosts have a timer that does the same", async () => {
  const { child, ended } = await startBench();
  child.kill("SIGKILL");
  await ended;
  for (const name of backends) {
    expect(await on(name, "systemctl is-active halo-bench.timer")).toBe("active");
    await on(name, "systemctl start --wait halo-bench.service");
  }
  await everyBackendIsItself();
});

test("bench:lists, interrupted: the example data are out again", async () => {
  const { child, ended, output } = start("bench/lists.ts", ["--customers", "200", "--seconds", "1"]);
  await until("the example data are in", 60_000, async () => output().includes("Added 200 customers"));
  child.kill("SIGINT");
  expect(await ended, output()).toBe(1);
  expect(output()).toMatch(/Removed 200 customers[\s\S]*the example data are out again/);
  const left = `SELECT count(*) FROM workshop.customers WHERE id BETWEEN ${firstId(79)} AND ${firstId(80) - 1}`;
  expect(await on("balancer", `cd / && runuser -u postgres -- psql -AtX halo -c "${left}"`)).toBe("0");
});
