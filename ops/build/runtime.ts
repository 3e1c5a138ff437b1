import { cpSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../lib/cli.ts";
import { pack } from "../lib/pack.ts";
import { root } from "../lib/paths.ts";
import { npm, packageJson } from "./npm.ts";

/**
 * Builds Node and PM2 for an architecture, apart from a release because they outlive releases; and prom-client, for the metrics of
 * apps that have none (HALO_RUNTIME in the preload).
 */
export function buildRuntime(arch: string) {
  const node = `node-linux-${arch}`;
  const { pm2 } = packageJson.devDependencies;
  const prom = packageJson.dependencies["prom-client"];
  const version = packageJson.optionalDependencies[node];
  if (!version) throw new UserError(`there is no Node for ${arch}`, "use x64 or arm64");
  const id = `node-${version}-pm2-${pm2}-prom-client-${prom}-linux-${arch}`;
  return pack("runtimes", id, (stage) => {
    // npm keeps the locked versions and hashes of the packages that these few lines still need, and drops the rest.
    const needs = {
      private: true,
      dependencies: { pm2, "prom-client": prom },
      optionalDependencies: { [node]: version },
    };
    writeFileSync(join(stage, "package.json"), JSON.stringify(needs));
    cpSync(join(root, "package-lock.json"), join(stage, "package-lock.json"));
    npm(stage, "install", "--os=linux", `--cpu=${arch}`);
    mkdirSync(join(stage, "bin"));
    renameSync(join(stage, "node_modules", node, "bin/node"), join(stage, "bin/node"));
    rmSync(join(stage, "node_modules", node), { recursive: true });
    rmSync(join(stage, "node_modules/.bin/node"), { force: true });
  });
}
