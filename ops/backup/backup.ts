import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { basename, relative } from "node:path";
import { parseArgs } from "node:util";
import { apps, findApp } from "../cluster/apps.ts";
import { UserError } from "../lib/cli.ts";
import { captureBytes } from "../lib/exec.ts";
import { localPath, root } from "../lib/paths.ts";
import { haloBackup, onHost, readBackup, type Store, storeHosts } from "./archive.ts";

/** Runs the command with its arguments: the stores of the app that they name, or all stores. */
export function backup(args: string[]): void {
  const { positionals } = parseArgs({ args, options: {}, allowPositionals: true });
  const [name, more] = positionals;
  if (more !== undefined) throw new UserError(`${positionals.join(" ")}: one app at a time`, "name one, or none");
  mkdirSync(localPath("backups"), { recursive: true, mode: 0o700 });
  if (name === undefined) backUp("", storeHosts());
  for (const { name: app, ownStores } of name === undefined ? apps() : [withStores(name)])
    if (ownStores.length > 0) backUp(app, storeHosts(ownStores));
}

function withStores(name: string) {
  const app = findApp(name);
  if (app.ownStores.length > 0) return app;
  throw new UserError(`${name} has no stores of its own`, "npm run backup, which backs up the shared ones as well");
}

/** Makes a backup on each host with such stores, and a whole copy of it here. */
function backUp(app: string, all: { host: Parameters<typeof onHost>[0]; stores: Store[] }[]): void {
  for (const { host } of all) {
    const said = captureBytes(onHost(host, ...haloBackup(app, "create"))).toString();
    const [, made = "", what] = said.match(/^(\/\S+): (\d+ (?:visits|keys|rows).*)$/m) ?? [];
    if (!made) throw new UserError(`halo-backup said: ${said}`, "npm run up brings the host's script up to date");
    const base = basename(made, ".tar").replace(/^halo-/, `${app || "halo"}-`);
    // Hosts with a store each make a file each.
    const file = localPath("backups", `${base}${all.length > 1 ? `-${host.name}` : ""}.tar`);
    writeFileSync(`${file}.part`, captureBytes(onHost(host, "cat", made)), { mode: 0o600 });
    const { size } = readBackup(`${file}.part`);
    renameSync(`${file}.part`, file);
    console.log(`${relative(root, file)}: ${what}, ${size} bytes`);
  }
}
