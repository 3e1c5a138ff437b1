import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../lib/cli.ts";
import { localPath, root } from "../lib/paths.ts";

/** Settings of the caller's that npm may keep: where packages come from, and how they are reached. */
const kindOfSource = /registry|auth|token|cache|proxy|cert|key|ca(file)?$|ssl|config$|offline|fetch|maxsockets/;

export const packageJson = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** Fills a fresh folder and packs it as .halo/<folder>/<id>.tar.gz, unless that exists already. */
export async function pack(folder: string, id: string, fill: (stage: string) => void | Promise<void>) {
  const file = localPath(folder, `${id}.tar.gz`);
  if (!existsSync(file)) {
    mkdirSync(localPath(folder), { recursive: true });
    // Folders of builds that were killed. One that is under way beside this one is younger.
    const left = ["-maxdepth", "1", "-name", ".making-*", "-mmin", "+60"];
    spawnSync("find", [localPath(folder), ...left, "-exec", "rm", "-rf", "{}", "+"]);
    const stage = mkdtempSync(localPath(folder, ".making-"));
    chmodSync(stage, 0o755);
    try {
      await fill(stage);
      run("tar", ["--create", "--gzip", "--file", `${stage}.tar.gz`, "--directory", stage, "."]);
      renameSync(`${stage}.tar.gz`, file);
    } finally {
      rmSync(stage, { recursive: true, force: true });
    }
  }
  return { id, file, sha256: createHash("sha256").update(readFileSync(file)).digest("hex") };
}

export function npm(stage: string, ...args: string[]): void {
  const settings = (name: string) => name === "NODE_ENV" || (/^npm_config_/i.test(name) && !kindOfSource.test(name));
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !settings(name)));
  const flags = ["--prefix", stage, "--loglevel=error", "--ignore-scripts", "--no-audit", "--no-fund"];
  run("npm", [...flags, "--no-global", "--no-dry-run", "--package-lock", ...args], env);
}

function run(file: string, args: string[], env = process.env): void {
  const { status, stderr, error } = spawnSync(file, args, { encoding: "utf8", env });
  if (status !== 0)
    throw new UserError(
      `${file} ${args.join(" ")} failed: ${error?.message ?? stderr}`,
      "correct the cause above, then run this again",
    );
}
