import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { basename, relative } from "node:path";
import { parseArgs } from "node:util";
import { UserError } from "../lib/cli.ts";
import { captureBytes } from "../lib/exec.ts";
import { localPath, root } from "../lib/paths.ts";
import { onHost, readBackup, storeHosts } from "./archive.ts";

/** Runs the command with its arguments; gives its exit status. */
export function backup(args: string[]) {
  parseArgs({ args, options: {} });
  const folder = localPath("backups");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const all = storeHosts();
  for (const { host } of all) {
    const said = captureBytes(onHost(host, "halo-backup", "create")).toString();
    const [, made = "", what] = said.match(/^(\/\S+): (\d+ (?:visits|rows).*)$/m) ?? [];
    if (!made) throw new UserError(`halo-backup said: ${said}`, "npm run up brings the host's script up to date");
    // Hosts with a store each make a file each.
    const file = localPath(
      "backups",
      all.length > 1 ? basename(made, ".tar").concat(`-${host.name}.tar`) : basename(made),
    );
    writeFileSync(`${file}.part`, captureBytes(onHost(host, "cat", made)), { mode: 0o600 });
    const { size } = readBackup(`${file}.part`);
    renameSync(`${file}.part`, file);
    console.log(`${relative(root, file)}: ${what}, ${size} bytes`);
  }
}
