import { closeSync, openSync } from "node:fs";
import { parseArgs } from "node:util";
import { findApp } from "../cluster/apps.ts";
import { ssh } from "../cluster/hosts.ts";
import { renewLists } from "../cluster/lists.ts";
import { typedPath, UserError } from "../lib/cli.ts";
import { captureBytes, passThrough } from "../lib/exec.ts";
import { confirmed } from "../lib/terminal.ts";
import { haloBackup, onHost, readBackup, storeHosts } from "./archive.ts";

/** Runs the command with its arguments; gives its exit status. */
export async function restore(args: string[]) {
  const { values, positionals } = parseArgs({ args, options: { yes: { type: "boolean" } }, allowPositionals: true });
  const [given] = positionals;
  if (!given || positionals.length > 1)
    throw new UserError("one backup has to be named", "npm run restore -- .halo/backups/FILE");
  // npm runs this in the project's root, wherever it was called.
  const file = typedPath(given);
  const { taken, app, stores } = readBackup(file);
  if (app) findApp(app);
  const hosts = storeHosts(stores);
  console.log(`${file} is whole, ${app ? `of ${app}, ` : ""}of ${taken.toISOString()}`);
  for (const { host } of hosts)
    for (const [, what, inside, now] of captureBytes(onHost(host, ...haloBackup(app, "check", "-")), file)
      .toString()
      .matchAll(/^(visits|keys|rows) in it: (\d+), now: (\S+)$/gm))
      console.log(`It has ${inside} ${what}, which replace the ${now} of now (a backup of them is kept)`);
  for (const [store, title] of [
    ["postgres", "PostgreSQL"],
    ["redis", "Redis"],
  ] as const)
    if (!stores.includes(store) && (!app || findApp(app).ownStores.includes(store)))
      console.log(`It has no data of ${title}; the present data stay`);
  if (!values.yes && !(await confirmed("Restore it?", "npm run restore -- FILE --yes")))
    throw new UserError("not restored", "answer yes, or: npm run restore -- FILE --yes");
  for (const { host } of hosts) {
    const input = openSync(file, "r");
    const status = await passThrough(ssh(host, "sudo", ...haloBackup(app, "restore", "-")), {
      stdio: [input, "inherit", "inherit"],
    });
    closeSync(input);
    if (status !== 0) return 1;
  }
  if (!app && stores.includes("postgres")) await renewLists();
  return 0;
}
