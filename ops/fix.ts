import { join } from "node:path";
import { parseArgs } from "node:util";
import { runCommand } from "./lib/cli.ts";
import { passThrough } from "./lib/exec.ts";
import { root } from "./lib/paths.ts";

const usage = {
  fix: `formats TypeScript and JSON, and applies the linter's safe repairs

It prints the findings that are left for a person.

No options.

Example: npm run fix`,
};

await runCommand((args) => {
  parseArgs({ args, options: {} });
  return passThrough([join(root, "node_modules/.bin/biome"), "check", "--write", "--error-on-warnings"], { cwd: root });
}, usage);
