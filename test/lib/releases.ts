import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { playbook } from "../../ops/cluster/hosts.ts";
import { localPath } from "../../ops/lib/paths.ts";
import { app } from "./app.ts";
import { must, type Result, sh } from "./hosts.ts";

export type Release = { id: string; file: string; sha256: string };

/** Packs the app's newest release, changed, under an id of its own that ends with the name; as under a umask of 077. */
export async function pack(name: string, change: (folder: string) => void): Promise<Release> {
  const newest = readdirSync(localPath("releases", app.name)).toSorted().at(-1) ?? "";
  const folder = mkdtempSync(join(tmpdir(), "halo-"));
  const id = `${new Date().toISOString().replace(/[-:]|\.\d+/g, "")}-${name}`;
  const file = localPath("releases", app.name, `${id}.tar.gz`);
  try {
    await must(["tar", "-xzf", localPath("releases", app.name, newest), "-C", folder]);
    writeFileSync(join(folder, "RELEASE"), `${id}\n`);
    change(folder);
    await must(["tar", "--mode=go=", "-czf", file, "-C", folder, "."]);
  } finally {
    rmSync(folder, { recursive: true });
  }
  return { id, file, sha256: (await must(["sha256sum", file])).split(" ")[0] ?? "" };
}

/** Deploys a packed release; resolves with the playbook's exit status and output. */
export const deploy = (app_release: Release, env = {}): Promise<Result> =>
  sh(playbook("deploy.yml", "-e", JSON.stringify({ app: app.name, app_release, app_gate_timeout: 15 })), env);
