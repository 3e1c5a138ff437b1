import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../lib/cli.ts";
import { capture } from "../lib/exec.ts";
import { pack } from "../lib/pack.ts";
import { localPath, root } from "../lib/paths.ts";
import { npm, packageJson } from "./npm.ts";

/**
 * Builds Node and PM2 for an architecture, apart from a release because they outlive releases; and prom-client, for the metrics of
 * apps that have none (HALO_RUNTIME in the preload).
 *
 * @param wanted an app's own version of Node; without it the one of package-lock.json
 * @returns the archive, and the link in /opt/halo/runtime by which units find it
 */
export async function buildRuntime(arch: string, wanted?: string) {
  const node = `node-linux-${arch}`;
  const { pm2 } = packageJson.devDependencies;
  const prom = packageJson.dependencies["prom-client"];
  const own = packageJson.optionalDependencies[node];
  if (!own) throw new UserError(`there is no Node for ${arch}`, "use x64 or arm64");
  const version = wanted ?? own;
  const id = `node-${version}-pm2-${pm2}-prom-client-${prom}-linux-${arch}`;
  const archive = await pack("runtimes", id, (stage) => {
    // npm keeps the locked versions and hashes of the packages that these few lines still need, and drops the rest.
    const needs = {
      private: true,
      dependencies: { pm2, "prom-client": prom },
      optionalDependencies: { [node]: version },
    };
    writeFileSync(join(stage, "package.json"), JSON.stringify(needs));
    cpSync(join(root, "package-lock.json"), join(stage, "package-lock.json"));
    try {
      npm(stage, "install", "--os=linux", `--cpu=${arch}`);
    } catch (error) {
      if (!wanted || !(error instanceof UserError)) throw error;
      throw new UserError(
        `Node ${wanted} for ${arch} cannot be installed: ${error.message}`,
        `correct node in apps.yml if npm has no such version (npm view ${node} versions), else the cause above`,
      );
    }
    // npm leaves out an optional package that it cannot get.
    if (!existsSync(join(stage, "node_modules", node)))
      throw new UserError(
        `npm has no Node ${version} for ${arch}`,
        `correct node in apps.yml: npm view ${node} versions`,
      );
    mkdirSync(join(stage, "bin"));
    renameSync(join(stage, "node_modules", node, "bin/node"), join(stage, "bin/node"));
    rmSync(join(stage, "node_modules", node), { recursive: true });
    rmSync(join(stage, "node_modules/.bin/node"), { force: true });
  });
  return { ...archive, link: wanted ? `node-${wanted}` : "current" };
}

/** The program of an app's own Node for this machine, which is Linux; resolves with its path in .halo/nodes. */
export async function nodeProgram(version: string): Promise<string> {
  const place = localPath("nodes", version);
  const program = join(place, "bin/node");
  if (existsSync(program)) return program;
  const { file } = await buildRuntime(process.arch, version);
  mkdirSync(localPath("nodes"), { recursive: true });
  const stage = mkdtempSync(localPath("nodes", ".making-"));
  try {
    await capture(["tar", "--extract", "--gzip", "--file", file, "--directory", stage, "./bin/node"]);
    // Another build of the same Node may have been faster.
    if (!existsSync(place)) renameSync(stage, place);
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
  return program;
}
