import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { root } from "../lib/paths.ts";
import { asksForHelp, readUsages, scriptOf } from "../lib/usage.ts";

const scripts: Record<string, string> = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).scripts;
const usages = readUsages(join(root, "ops"), join(root, "bench"));
const typed = (script: string) => (script === "test" ? "npm test" : `npm run ${script}`);

// A PATH with no more than ops/run needs. The programs that commands act by are stand-ins, which write down that they were called.
let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "halo-help-"));
  for (const tool of ["bash", "sh", "env", "dirname", "uname"]) symlinkSync(`/usr/bin/${tool}`, join(folder, tool));
  for (const program of ["vagrant", "ansible-playbook", "ssh", "npm", "ip", "nsenter", "apt-get", "tar", "postgres"]) {
    writeFileSync(join(folder, program), `#!/bin/sh\necho ${program} >>"${folder}/calls"\n`);
    chmodSync(join(folder, program), 0o755);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

// Without an inventory: a command reads it no sooner than it needs a host.
const { NODE_COMPILE_CACHE = "" } = process.env;
const env = () => ({ PATH: folder, HOME: folder, HALO_INVENTORY: "nowhere.yml", NODE_COMPILE_CACHE });
const run = (line: string) =>
  new Promise<{ code: number | null; output: string; errors: string }>((resolve, reject) => {
    const child = spawn("/bin/sh", ["-c", line], { cwd: root, env: env(), stdio: "pipe" });
    let output = "";
    let errors = "";
    child.stdout.on("data", (chunk) => {
      output += chunk;
    });
    child.stderr.on("data", (chunk) => {
      errors += chunk;
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, output, errors }));
  });

test.each(Object.entries(scripts))(
  "npm run %s -- --help prints the script's help, and does nothing",
  async (script, line) => {
    const { code, output, errors } = await run(`${line} ${script.length % 2 ? "--help" : "-h"}`);
    expect([code, errors]).toEqual([0, ""]);
    expect(output.split("\n")[0]).toBe(`${typed(script)}: ${usages[script]?.split("\n")[0]}`);
    expect(output).toContain(`\nExample: ${typed(script)}`);
    expect(readdirSync(folder)).not.toContain("calls");
  },
);

test("npm run help has every script once, in one line of at most 100 characters", async () => {
  const { code, output, errors } = await run(`${scripts.help}`);
  expect([code, errors]).toEqual([0, ""]);
  const lines = output.split("\n").filter((line) => line.startsWith("  "));
  const named = lines.map((line) => line.trim().split(/ {2,}/));
  expect(named.map(([command = ""]) => command).sort()).toEqual(Object.keys(scripts).map(typed).sort());
  for (const [command, text] of named)
    expect(usages[`${command?.replace(/^npm (run )?/, "")}`]?.split("\n")[0]).toBe(text);
  for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(100);
});

test.each([
  ["down", "halo: Unknown option '--nonsense'\nFix: npm run down -- --help\n"],
  ["rollback", "halo: Unknown option '--nonsense'\nFix: npm run rollback -- --help\n"],
  ["test", "halo: Unknown option '--nonsense'\nFix: npm test -- --help\n"],
])("npm run %s: an unknown option names the help", async (script, errors) => {
  expect(await run(`${scripts[script]} --nonsense`)).toEqual({ code: 1, output: "", errors });
  expect(readdirSync(folder)).not.toContain("calls");
});

test("a command that hands its arguments on has help of its own in front only", () => {
  expect(asksForHelp(["--help"], true)).toBe(true);
  expect(asksForHelp(["curl", "--help"], true)).toBe(false);
  expect(asksForHelp(["-m", "why", "--help"], false)).toBe(true);
  expect(asksForHelp(["--", "--help"], false)).toBe(false);
});

test("scripts of one file are distinguished by their argument, and a host may have the name of a script", () => {
  const own = { "test:unit": "", "test:vm": "" };
  expect(scriptOf(own, ["vm", "x"])).toEqual({ script: "test:vm", own: ["x"] });
  expect(scriptOf({ test: "", "test:all": "" }, ["all", "-h"])).toEqual({ script: "test:all", own: ["-h"] });
  expect(scriptOf({ test: "", "test:all": "" }, ["-h"])).toEqual({ script: "test", own: ["-h"] });
  expect(scriptOf({ ssh: "" }, ["ssh", "-h"])).toEqual({ script: "ssh", own: ["ssh", "-h"] });
});
