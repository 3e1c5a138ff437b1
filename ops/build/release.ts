import { createHash } from "node:crypto";
import { cpSync, existsSync, globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { App } from "../cluster/apps.ts";
import { UserError } from "../lib/cli.ts";
import { pack } from "../lib/pack.ts";
import { localPath, root } from "../lib/paths.ts";
import { kept, nextRelease } from "../lib/releases.ts";
import { copyFiles, revision, sourceFiles } from "../lib/source.ts";
import { buildWeb } from "../web/build.ts";
import { madeOnce } from "./madeOnce.ts";
import { npm, packageJson, UNLOADED } from "./npm.ts";

/**
 * Builds a release of this project's own app: its files with the production packages, in web/ the files that the balancers serve, and in
 * migrations/ the database's.
 *
 * @param after the newest release that the hosts have, "" for none
 */
export async function buildRelease(app: App, after: string) {
  const { name, note } = revision(root, ["app", "docs/runbook.md", "package.json", "package-lock.json"]);
  const folder = join("releases", app.name);
  const releases = () => globSync("*.tar.gz", { cwd: localPath(folder) }).sort();
  const known = [...releases().map((file) => basename(file, ".tar.gz")), after].sort().at(-1) ?? "";
  const { time, ahead } = nextRelease(new Date(), known);
  const id = `${time}-${name}`;
  const built = await pack(folder, id, async (stage) => {
    const source = join(root, "app");
    const apart = ["app/web/", `${app.migrations}/`];
    const files = sourceFiles(root, source).filter(
      (path) => !apart.some((each) => `app/${path}`.startsWith(each)) && !path.split("/").includes("test"),
    );
    copyFiles(source, join(stage, "app"), files);
    await buildWeb(root, join(source, "web"), join(stage, "web"));
    if (app.migrations) {
      const migrations = join(root, app.migrations);
      copyFiles(migrations, join(stage, "migrations"), sourceFiles(root, migrations));
    }
    for (const file of ["package.json", "package-lock.json"]) cpSync(join(root, file), join(stage, file));
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
    const start = app.entry.start?.replace(/^node +/, "") ?? "";
    writeFileSync(
      join(stage, "RELEASE.env"),
      `HALO_START=${start}\nHALO_MODE=${app.entry.mode ?? "cluster"}\nHALO_PATH=.\n`,
    );
  });
  for (const old of releases().slice(0, -kept)) rmSync(localPath(folder, old));
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
