import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

const module = join(import.meta.dirname, "../doctor/advisories.ts");

/** The advisories that a registry on loopback leads to; it gives this status and this answer to npm's question. */
async function ask(status: number, advisories: unknown): Promise<unknown> {
  const registry = createServer((req, res) => {
    const packument = { name: "express", "dist-tags": {}, versions: {} };
    res.writeHead(req.method === "POST" ? status : 200, { "Content-Type": "application/json" });
    res.end(JSON.stringify(req.method === "POST" ? advisories : packument));
  });
  await new Promise<void>((resolve) => registry.listen(0, "127.0.0.1", resolve));
  const cache = mkdtempSync(join(tmpdir(), "halo-npm-"));
  const url = `http://127.0.0.1:${(registry.address() as AddressInfo).port}/`;
  const program = `import { askAdvisories } from ${JSON.stringify(module)}; console.log(JSON.stringify(askAdvisories()));`;
  // In a process of its own: it waits for npm, and this one has to answer npm.
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
    env: { ...process.env, npm_config_registry: url, npm_config_cache: cache },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  for await (const chunk of child.stdout) output += chunk;
  registry.close();
  rmSync(cache, { recursive: true, force: true });
  return JSON.parse(output);
}

test("a registry without advisories for the packages of a release", async () => {
  expect(await ask(200, {})).toEqual({ found: [] });
});

test("an advisory for a package of a release is named", async () => {
  const advisory = {
    id: 1,
    url: "https://advisories.test/1",
    title: "Bad",
    severity: "high",
    vulnerable_versions: "*",
  };
  expect(await ask(200, { express: [advisory] })).toEqual({ found: ["express (high)"] });
});

test("a registry that does not answer is no clean result", async () => {
  expect(await ask(405, {})).toEqual({ without: "the npm registry does not answer it (status 405)" });
});
