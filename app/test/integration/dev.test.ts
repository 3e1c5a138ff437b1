import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { freePair } from "../../../ops/loopback/port.ts";
import { until } from "../../../ops/loopback/until.ts";
import { NODE, ROOT } from "./support/service.ts";

// PostgreSQL, which runs as another user where this is root, has to reach it.
let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "halo-dev-test-"));
  execFileSync("chmod", ["711", folder]);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function dev(port: number, env: NodeJS.ProcessEnv = {}) {
  const child = spawn(NODE, [`${ROOT}ops/dev.ts`, "--port", String(port)], {
    env: { ...process.env, TMPDIR: folder, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk) => {
      output += chunk;
    });
  const exit = new Promise<number | null>((resolve) => child.once("close", resolve));
  return { child, exit, output: () => output };
}

it("npm run dev serves the service and its pages from servers of its own, and leaves nothing", async () => {
  const port = await freePair();
  const { child, exit, output } = dev(port);
  try {
    await until("the URLs", () => output().includes(`http://localhost:${port}/`), 60_000);
    const get = (path: string) => fetch(`http://127.0.0.1:${path}`);
    await until("Redis and PostgreSQL", async () => (await get(`${port}/readyz`)).status === 200, 60_000);
    const visit = await (await get(`${port}/`)).json();
    expect(visit).toMatchObject({ container_id: "dev", database_status: "Terhubung", total_visits: 1 });
    expect((await get(`${port}/assets/page.css`)).headers.get("content-type")).toBe("text/css");
    // Addresses that are no paths end nothing.
    expect([(await get(`${port}//`)).status, (await get(`${port}/assets/%`)).status]).toEqual([200, 404]);
    expect(await (await get(`${port + 1}/`)).text()).toMatch(/src="a\/workshop\.\w+\.js"/);
    await until("the workshop", async () => (await get(`${port + 1}/api/customers`)).status === 200, 60_000);
    expect(await (await get(`${port + 1}/api/customers`)).json()).toEqual({ items: [], next: null });
  } finally {
    child.kill("SIGINT");
  }
  expect([await exit, output()]).toEqual([0, expect.stringContaining('"msg":"stopped"')]);
  expect(readdirSync(folder)).toEqual([]);
  expect(execFileSync("ps", ["-eo", "args"], { encoding: "utf8" })).not.toContain(folder);
});

it("npm run dev names the port that is in use, and leaves nothing", async () => {
  const port = await freePair();
  const other = createServer().listen(port + 1, "127.0.0.1");
  const { exit, output } = dev(port);
  expect([await exit, output()]).toEqual([
    1,
    expect.stringMatching(
      new RegExp(`halo: port ${port + 1} cannot be used .*EADDRINUSE.*\\nFix: npm run dev -- --port \\d+`),
    ),
  ]);
  other.close();
  expect(readdirSync(folder)).toEqual([]);
});
