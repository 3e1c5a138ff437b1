import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { capture } from "./exec.ts";
import { localPath } from "./paths.ts";

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
      await capture(["tar", "--create", "--gzip", "--file", `${stage}.tar.gz`, "--directory", stage, "."]);
      renameSync(`${stage}.tar.gz`, file);
    } finally {
      rmSync(stage, { recursive: true, force: true });
    }
  }
  return { id, file, sha256: createHash("sha256").update(readFileSync(file)).digest("hex") };
}
