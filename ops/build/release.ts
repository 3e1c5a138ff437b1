import { createHash } from "node:crypto";
import { cpSync, existsSync, globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { UserError } from "../lib/cli.ts";
import { pack } from "../lib/pack.ts";
import { localPath, root } from "../lib/paths.ts";
import { kept, nextRelease } from "../lib/releases.ts";
import { copyFiles, revision, sourceFiles } from "../lib/source.ts";
import { buildWeb } from "../web/build.ts";
import { madeOnce } from "./madeOnce.ts";
import { npm, packageJson, UNLOADED } from "./npm.ts";

/**
 * Builds the service with its production packages, and in web/ the files that the balancers serve.
 *
 * @param after the newest release that the hosts have, "" for none
 */
export async function buildRelease(after: string) {
  const { name, note } = revision(root, ["app", "ecosystem.config.cjs", "package.json", "package-lock.json"]);
  const releases = () => globSync("*.tar.gz", { cwd: localPath("releases") }).sort();
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
    const modules = join(stage, "node_modules");
    const locked = ["package.json", "package-lock.json"].map((file) => readFileSync(join(stage, file)));
    const key = createHash("sha256")
      .update(process.version + UNLOADED)
      .update(Buffer.concat(locked))
      .digest("hex");
    await madeOnce(localPath("packages"), key, modules, () => {
      npm(stage, "ci", "--omit=dev", "--omit=optional");
      checkPackages(modules);
    });
    writeFileSync(join(stage, "RELEASE"), `${id}\n`);
  });
  for (const old of releases().slice(0, -kept)) rmSync(localPath("releases", old));
  return { ...built, notes: [note, ahead].filter((each) => each !== undefined) };
}

/** Throws a UserError where npm left out a package that the service needs, or added one that only its developers need. */
function checkPackages(modules: string): void {
  const there = (name: string) => existsSync(join(modules, name));
  const wrong = [
    ...Object.keys(packageJson.dependencies).filter((name) => !there(name)),
    ...Object.keys(packageJson.devDependencies).filter(there),
  ];
  if (wrong.length > 0)
    throw new UserError(
      `npm left out or added ${wrong.join(", ")}`,
      "take omit, include and the like out of npm's settings (npm config ls), then run this again",
    );
}
