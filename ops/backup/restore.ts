import { closeSync, openSync } from "node:fs";
import { resolve } from "node:path";
import { createInterface } from "node:readline/promises";
import { parseArgs } from "node:util";
import { ssh } from "../cluster/hosts.ts";
import { UserError } from "../lib/cli.ts";
import { captureBytes, passThrough } from "../lib/exec.ts";
import { onHost, readBackup, storeHosts } from "./archive.ts";

/** Runs the command with its arguments; gives its exit status. */
export async function restore(args: string[]) {
  const { values, positionals } = parseArgs({ args, options: { yes: { type: "boolean" } }, allowPositionals: true });
  const [given] = positionals;
  if (!given || positionals.length > 1)
    throw new UserError("one backup has to be named", "npm run restore -- .halo/backups/FILE");
  // npm runs this in the project's root, wherever it was called.
  const file = resolve(process.env.INIT_CWD ?? ".", given);
  const { taken, stores } = readBackup(file);
  const hosts = storeHosts(stores);
  console.log(`${file} is whole, of ${taken.toISOString()}`);
  for (const { host } of hosts)
    for (const [, what, inside, now] of captureBytes(onHost(host, "halo-backup", "check", "-"), file)
      .toString()
      .matchAll(/^(visits|rows) in it: (\d+), now: (\S+)$/gm))
      console.log(`It has ${inside} ${what}, which replace the ${now} of now (a backup of them is kept)`);
  if (!stores.includes("postgres")) console.log("It has no data of PostgreSQL; the present data stay");
  if (!stores.includes("redis")) console.log("It has no data of Redis; the present data stay");
  if (!values.yes && !(await confirmed()))
    throw new UserError("not restored", "answer yes, or: npm run restore -- FILE --yes");
  for (const { host } of hosts) {
    const input = openSync(file, "r");
    const status = await passThrough(ssh(host, "sudo", "halo-backup", "restore", "-"), {
      stdio: [input, "inherit", "inherit"],
    });
    closeSync(input);
    if (status !== 0) return 1;
  }
  return 0;
}

async function confirmed(): Promise<boolean> {
  if (!process.stdin.isTTY)
    throw new UserError("there is no terminal to ask on, so nothing was changed", "npm run restore -- FILE --yes");
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question("Restore it? (yes/no) ").catch(() => "no"); // Ctrl-C, Ctrl-D
  terminal.close();
  return answer.trim() === "yes";
}
