import { existsSync } from "node:fs";
import { release } from "node:os";
import { parseArgs } from "node:util";
import { firstLine, UserError } from "../lib/cli.ts";
import { capture } from "../lib/exec.ts";
import { quote } from "../lib/script.ts";
import { confirmed } from "../lib/terminal.ts";
import { caFile, caName } from "./authority.ts";
import { trustStores } from "./stores.ts";

const options = { yes: { type: "boolean", default: false } } as const;
type Change = { title: string; commands: string[][] };

/** Puts the local CA into the stores of this machine that do not have it. */
export async function trust(args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options });
  const ca = caFile();
  if (!existsSync(ca)) throw new UserError("there is no local CA yet", "npm run up, which makes it");
  const stores = trustStores();
  const without = stores.filter((store) => !store.has(ca));
  const changes = without
    .filter(({ lacks }) => lacks === undefined)
    .map((store): Change => ({ title: store.title, commands: store.add(ca) }));
  const failed = await change(changes, "Add the local CA to", values.yes, "npm run trust -- --yes");
  for (const { title, lacks } of without) if (lacks) console.log(`Not in ${title}: ${lacks}`);
  const now = stores.filter((store) => store.has(ca)).length;
  console.log(
    without.length === 0
      ? "The local CA is trusted already; nothing to change"
      : `The local CA is in ${now} of ${stores.length} stores. Start the browser again; npm run untrust undoes it`,
  );
  if (/microsoft/i.test(release()))
    console.log(`For the browsers of Windows: certutil.exe -user -addstore Root "$(wslpath -w ${quote(ca)})"`);
  refuse(failed, "npm run trust");
}

/** Takes every local CA out of the stores of this machine, also of clones that are gone. */
export async function untrust(args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options });
  const stores = trustStores();
  const found = stores.flatMap((store) => store.ours().map((name) => ({ store, name })));
  const changes = found.map(
    ({ store, name }): Change => ({ title: `${store.title}: ${name}`, commands: store.remove(name) }),
  );
  const failed = await change(changes, "Remove from", values.yes, "npm run untrust -- --yes");
  if (/microsoft/i.test(release()))
    console.log(`For the browsers of Windows: certutil.exe -user -delstore Root ${quote(caName)}`);
  const unread = stores.flatMap(({ title, lacks, present }) => (lacks && present ? [`${title}: ${lacks}`] : []));
  refuse([...failed, ...unread], "npm run untrust");
  console.log(found.length === 0 ? "No store has a local CA; nothing to change" : "No store has a local CA any more");
}

/** Says what it changes, asks, and changes it, one store after the other; resolves with the stores that failed, each with its cause. */
export async function change(changes: Change[], verb: string, yes: boolean, instead: string): Promise<string[]> {
  for (const { title, commands } of changes) {
    console.log(`${verb} ${title}`);
    for (const command of commands)
      console.log(`  ${command.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : quote(word))).join(" ")}`);
  }
  if (changes.length === 0) return [];
  if (!yes && !(await confirmed("Do it?", instead)))
    throw new UserError("nothing was changed", `answer yes, or: ${instead}`);
  const failed: string[] = [];
  for (const { title, commands } of changes)
    try {
      for (const command of commands) await capture(command);
    } catch (error) {
      failed.push(`${title}: ${firstLine(error)}`);
    }
  return failed;
}

/** Ends the command with the stores that it could not change. */
function refuse(stores: string[], command: string): void {
  if (stores.length > 0) throw new UserError(stores.join("\n"), `correct that cause, then: ${command}`);
}
