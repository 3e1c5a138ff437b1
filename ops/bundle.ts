/**
 * Builds what the hosts run, once, on the controller: `bundle.ts release [--after ID]` or `bundle.ts runtime --arch x64|arm64`.
 * Prints one JSON line: {"id", "file", "sha256", "notes"}. A release is the service with its production packages, and in web/
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
import { own, root } from "./lib/project.ts";
import { nextRelease } from "./lib/releases.ts";
import { copyFiles, revision, sourceFiles } from "./lib/source.ts";
import { buildWeb } from "./lib/web.ts";

const kept = 5; // releases, as on the hosts
/** Settings of the caller's that npm may keep: where packages come from, and how they are reached. */
const kindOfSource = /registry|auth|token|cache|proxy|cert|key|ca(file)?$|ssl|config$|offline|fetch|maxsockets/;
const packageJson = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

await command(async (args) => {
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    options: { arch: { type: "string", default: process.arch }, after: { type: "string", default: "" } },
  });
  const built =
    positionals[0] === "runtime"
      ? await runtime(values.arch)
      : positionals[0] === "release"
        ? await release(values.after)
        : undefined;
  if (!built)
    throw new Problem("what to build is not named", "ops/run bundle release, or ops/run bundle runtime --arch x64");
  console.log(JSON.stringify(built));
});

/** @param after the newest release that the hosts have, "" for none */
async function release(after: string) {
  const { name, note } = revision(root, ["app", "ecosystem.config.cjs", "package.json", "package-lock.json"]);
  const releases = () => globSync("*.tar.gz", { cwd: own("releases") }).sort();
  const known = [...releases().map((file) => basename(file, ".tar.gz")), after].sort().at(-1) ?? "";
  const { time, ahead } = nextRelease(new Date(), known);
  const id = `${time}-${name}`;
  const built = await pack("releases", id, async (stage) => {
    const app = join(root, "app");
    const files = sourceFiles(root, app).filter(
      (path) => !path.startsWith("web/") && !path.split("/").includes("test"),
    );
    copyFiles(app, join(stage, "app"), files);
    await buildWeb(root, join(app, "web"), join(stage, "web"));
    for (const file of ["ecosystem.config.cjs", "package.json", "package-lock.json"])
      cpSync(join(root, file), join(stage, file));
    npm(stage, "ci", "--omit=dev", "--omit=optional");
    const there = (name: string) => existsSync(join(stage, "node_modules", name));
    const wrong = [
      ...Object.keys(packageJson.dependencies).filter((name) => !there(name)),
      ...Object.keys(packageJson.devDependencies).filter(there),
    ];
    if (wrong.length > 0)
      throw new Problem(
        `npm left out or added ${wrong.join(", ")}`,
        "take omit, include and the like out of npm's settings (npm config ls), then run this again",
      );
    writeFileSync(join(stage, "RELEASE"), `${id}\n`);
  });
  for (const old of releases().slice(0, -kept)) rmSync(own("releases", old));
  return { ...built, notes: [note, ahead].filter((each) => each !== undefined) };
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
      run("tar", ["--create", "--gzip", "--file", `${stage}.tar.gz`, "--directory", stage, "."]);
      renameSync(`${stage}.tar.gz`, file);
    } finally {
      rmSync(stage, { recursive: true, force: true });
    }
  }
  return { id, file, sha256: createHash("sha256").update(readFileSync(file)).digest("hex") };
}

function npm(stage: string, ...args: string[]): void {
  const settings = (name: string) => name === "NODE_ENV" || (/^npm_config_/i.test(name) && !kindOfSource.test(name));
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !settings(name)));
  const flags = ["--prefix", stage, "--loglevel=error", "--ignore-scripts", "--no-audit", "--no-fund"];
  run("npm", [...flags, "--no-global", "--no-dry-run", "--package-lock", ...args], env);
}

function run(file: string, args: string[], env = process.env): void {
  const { status, stderr, error } = spawnSync(file, args, { encoding: "utf8", env });
  if (status !== 0)
    throw new Problem(
      `${file} ${args.join(" ")} failed: ${error?.message ?? stderr}`,
      "correct the cause above, then run this again",
    );
}
