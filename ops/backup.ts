import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { basename, relative } from "node:path";
import { parseArgs } from "node:util";
import { onHost, readBackup, storeHosts } from "./lib/backup.ts";
import { command, Problem } from "./lib/problem.ts";
import { hear } from "./lib/process.ts";
import { own, root } from "./lib/project.ts";

const usage = {
  backup: `backs up Redis and PostgreSQL, on their host and in .halo/backups

No options.

Example: npm run backup`,
};

await command((args) => {
  parseArgs({ args, options: {} });
  const folder = own("backups");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const all = storeHosts();
  for (const { host } of all) {
    const said = hear(onHost(host, "halo-backup", "create")).toString();
    const [, made = "", what] = said.match(/^(\/\S+): (\d+ (?:visits|rows).*)$/m) ?? [];
    if (!made) throw new Problem(`halo-backup said: ${said}`, "npm run up brings the host's script up to date");
    // Hosts with a store each make a file each.
    const file = own("backups", all.length > 1 ? basename(made, ".tar").concat(`-${host.name}.tar`) : basename(made));
    writeFileSync(`${file}.part`, hear(onHost(host, "cat", made)), { mode: 0o600 });
    const { size } = readBackup(`${file}.part`);
    renameSync(`${file}.part`, file);
    console.log(`${relative(root, file)}: ${what}, ${size} bytes`);
  }
}, usage);
