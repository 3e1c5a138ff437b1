import { join } from "node:path";
import { parseArgs } from "node:util";
import { command } from "./lib/problem.ts";
import { attach } from "./lib/process.ts";
import { root } from "./lib/project.ts";

const usage = {
  fix: `formats TypeScript and JSON, and applies the linter's safe repairs

It prints the findings that are left for a person.

No options.

Example: npm run fix`,
};

await command((args) => {
  parseArgs({ args, options: {} });
  return attach([join(root, "node_modules/.bin/biome"), "check", "--write", "--error-on-warnings"], { cwd: root });
}, usage);
