/**
 * Builds what the hosts run, once, on the controller: `bundle.ts release` or `bundle.ts runtime --arch x64|arm64`.
 * Prints one JSON line: {"id", "file", "sha256"}. A release is the service with its production packages, and in web/
 * what the balancers serve of it; the runtime is Node and PM2, apart from it because they outlive releases. Both come
 * from package-lock.json, hashes checked.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { command, Problem } from "./lib/problem.ts";
import { ask } from "./lib/process.ts";
import { own, root } from "./lib/project.ts";
import { buildWeb } from "./lib/web.ts";

const kept = 5; // releases, as on the hosts
const packageJson = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

await command(async (args) => {
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    options: { arch: { type: "string", default: process.arch } },
  });
  const built =
    positionals[0] === "runtime"
      ? await runtime(values.arch)
      : positionals[0] === "release"
        ? await release()
        : undefined;
  if (!built)
    throw new Problem("what to build is not named", "ops/run bundle release, or ops/run bundle runtime --arch x64");
  console.log(JSON.stringify(built));
});

async function release() {
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  const commit = ask(["git", "rev-parse", "--short=7", "HEAD"]) ?? "nogit";
  const changed = ask([
    "git",
    "status",
    "--porcelain",
    "--",
    "app",
    "ecosystem.config.cjs",
    "package.json",
    "package-lock.json",
  ]);
  const id = `${time}-${commit}${changed ? "-changed" : ""}`;
  const built = await pack("releases", id, async (stage) => {
    cpSync(join(root, "app"), join(stage, "app"), {
      recursive: true,
      filter: (path) => basename(path) !== "test" && path !== join(root, "app/web"),
    });
    await buildWeb(join(root, "app/web"), join(stage, "web"));
    for (const file of ["ecosystem.config.cjs", "package.json", "package-lock.json"])
      cpSync(join(root, file), join(stage, file));
    npm(stage, "ci", "--omit=dev", "--omit=optional");
    writeFileSync(join(stage, "RELEASE"), `${id}\n`);
  });
  // Their names begin with their time.
  const releases = globSync("*.tar.gz", { cwd: own("releases") }).sort();
  for (const old of releases.slice(0, -kept)) rmSync(own("releases", old));
  return built;
}

function runtime(arch: string) {
  const node = `node-linux-${arch}`;
  const { pm2 } = packageJson.devDependencies;
  const version = packageJson.optionalDependencies[node];
  if (!version) throw new Problem(`there is no Node for ${arch}`, "use x64 or arm64");
  const id = `node-${version}-pm2-${pm2}-linux-${arch}`;
  return pack("runtimes", id, (stage) => {
    // npm keeps the locked versions and hashes of what these few lines still need, and drops the rest.
    const needs = { private: true, dependencies: { pm2 }, optionalDependencies: { [node]: version } };
    writeFileSync(join(stage, "package.json"), JSON.stringify(needs));
    cpSync(join(root, "package-lock.json"), join(stage, "package-lock.json"));
    npm(stage, "install", "--os=linux", `--cpu=${arch}`);
    mkdirSync(join(stage, "bin"));
    renameSync(join(stage, "node_modules", node, "bin/node"), join(stage, "bin/node"));
    rmSync(join(stage, "node_modules", node), { recursive: true });
    rmSync(join(stage, "node_modules/.bin/node"), { force: true });
  });
}

/** Fills a fresh folder and packs it as .halo/<folder>/<id>.tar.gz, unless that is there already. */
async function pack(folder: string, id: string, fill: (stage: string) => void | Promise<void>) {
  const file = own(folder, `${id}.tar.gz`);
  if (!existsSync(file)) {
    mkdirSync(own(folder), { recursive: true });
    // What builds have left that were killed. One that is under way beside this one is younger.
    const left = ["-maxdepth", "1", "-name", ".making-*", "-mmin", "+60"];
    spawnSync("find", [own(folder), ...left, "-exec", "rm", "-rf", "{}", "+"]);
    const stage = mkdtempSync(own(folder, ".making-"));
    chmodSync(stage, 0o755);
    try {
      await fill(stage);
      run("tar", "--create", "--gzip", "--file", `${stage}.tar.gz`, "--directory", stage, ".");
      renameSync(`${stage}.tar.gz`, file);
    } finally {
      rmSync(stage, { recursive: true, force: true });
    }
  }
  return { id, file, sha256: createHash("sha256").update(readFileSync(file)).digest("hex") };
}

function npm(stage: string, ...args: string[]): void {
  run("npm", "--prefix", stage, "--loglevel=error", "--ignore-scripts", "--no-audit", "--no-fund", ...args);
}

function run(file: string, ...args: string[]): void {
  const { status, stderr, error } = spawnSync(file, args, { encoding: "utf8" });
  if (status !== 0)
    throw new Problem(
      `${file} ${args.join(" ")} failed: ${error?.message ?? stderr}`,
      "mend what it says, then run this again",
    );
}
