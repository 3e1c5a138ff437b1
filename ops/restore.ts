import { closeSync, openSync } from "node:fs";
import { resolve } from "node:path";
import { createInterface } from "node:readline/promises";
import { parseArgs } from "node:util";
import { hear, onRedis, readBackup } from "./lib/backup.ts";
import { command, Problem } from "./lib/problem.ts";
import { attach } from "./lib/process.ts";

await command(async (args) => {
  const { values, positionals } = parseArgs({ args, options: { yes: { type: "boolean" } }, allowPositionals: true });
  const [given] = positionals;
  if (!given || positionals.length > 1)
    throw new Problem("one backup has to be named", "npm run restore -- .halo/backups/FILE");
  // npm runs this in the project's root, wherever it was called.
  const file = resolve(process.env.INIT_CWD ?? ".", given);
  const { taken } = readBackup(file);
  const said = hear(onRedis("halo-backup", "check", "-"), file).toString();
  const [, visits, now] = said.match(/^visits in it: (\d+), now: (\S+)$/m) ?? [];

  console.log(`${file} is whole: ${visits} visits, of ${taken.toISOString()}`);
  console.log(`It replaces what Redis has now: ${now} visits (a backup of them is made first)`);
  if (!values.yes && !(await confirmed()))
    throw new Problem("not restored", "answer yes, or: npm run restore -- FILE --yes");
  const input = openSync(file, "r");
  const status = await attach(onRedis("halo-backup", "restore", "-"), { stdio: [input, "inherit", "inherit"] });
  closeSync(input);
  return status === 0 ? 0 : 1;
});

async function confirmed(): Promise<boolean> {
  if (!process.stdin.isTTY)
    throw new Problem("there is no terminal to ask on, so nothing was changed", "npm run restore -- FILE --yes");
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question("Restore it? (yes/no) ").catch(() => "no"); // Ctrl-C, Ctrl-D
  terminal.close();
  return answer.trim() === "yes";
}
