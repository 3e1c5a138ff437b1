import { spawnSync } from "node:child_process";
import { globSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../lib/cli.ts";
import { root } from "../lib/paths.ts";

/** Settings of the caller's that npm may keep: where packages come from, and how they are reached. */
const kindOfSource = /registry|auth|token|cache|proxy|cert|key|ca(file)?$|ssl|config$|offline|fetch|maxsockets/;

export const packageJson = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** The half of the files in packages that Node does not load: it strips no types there. */
export const UNLOADED = "node_modules/**/*.{ts,mts,cts,map}";

/**
 * Installs packages into a folder's node_modules by npm, without the files that Node does not load. Of the caller's settings
 * only the ones count that say where packages come from.
 */
export function npm(stage: string, ...args: string[]): void {
  const settings = (name: string) => name === "NODE_ENV" || (/^npm_config_/i.test(name) && !kindOfSource.test(name));
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !settings(name)));
  const flags = ["--prefix", stage, "--loglevel=error", "--ignore-scripts", "--no-audit", "--no-fund"];
  const all = [...flags, "--no-global", "--no-dry-run", "--package-lock", ...args];
  const { status, stderr, error } = spawnSync("npm", all, { encoding: "utf8", env });
  if (status !== 0)
    throw new UserError(
      `npm ${all.join(" ")} failed: ${error?.message ?? stderr}`,
      "correct the cause above, then run this again",
    );
  // A package's folder may have such a name as well.
  for (const each of globSync(UNLOADED, { cwd: stage, withFileTypes: true }))
    if (!each.isDirectory()) rmSync(join(each.parentPath, each.name));
}
