import { spawn } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../lib/project.ts";

test.each(["SIGTERM", "SIGHUP"] as const)(
  "%s is for the attached command, whose exit status counts",
  async (signal) => {
    const inner = `process.on("${signal}", () => process.exit(7)); setInterval(() => {}, 1000); console.log("ready")`;
    const outer = `import { attach } from "${join(root, "ops/lib/process.ts")}";
process.exitCode = await attach([process.execPath, "-e", ${JSON.stringify(inner)}]);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", outer]);
    await new Promise((resolve) => child.stdout.once("data", resolve));
    child.kill(signal);
    expect(await new Promise((resolve) => child.on("close", resolve))).toBe(7);
  },
);
