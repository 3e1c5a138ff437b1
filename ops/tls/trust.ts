import { existsSync } from "node:fs";
import { release } from "node:os";
import { parseArgs } from "node:util";
import { UserError } from "../lib/cli.ts";
import { capture } from "../lib/exec.ts";
import { confirmed } from "../lib/terminal.ts";
import { caFile } from "./authority.ts";
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
  const done = await change(changes, "Add the local CA to", values.yes, "npm run trust -- --yes");
  for (const { title, lacks } of without) if (lacks) console.log(`Not in ${title}: ${lacks}`);
  console.log(
    done === 0 && without.length === 0
      ? "The local CA is trusted already; nothing to change"
      : `The local CA is in ${stores.length - without.length + done} of ${stores.length} stores. Start the browser again; npm run untrust undoes it`,
  );
  if (/microsoft/i.test(release()))
    console.log(`For the browsers of Windows: certutil.exe -user -addstore Root $(wslpath -w ${ca})`);
}

/** Takes every local CA out of the stores of this machine, also of clones that are gone. */
export async function untrust(args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options });
  const found = trustStores().flatMap((store) => store.ours().map((name) => ({ store, name })));
  const changes = found.map(
    ({ store, name }): Change => ({ title: `${store.title}: ${name}`, commands: store.remove(name) }),
  );
  await change(changes, "Remove from", values.yes, "npm run untrust -- --yes");
  console.log(found.length === 0 ? "No store has a local CA; nothing to change" : "No store has a local CA any more");
}

/** Says what it changes, asks, and changes it; resolves with the number of changes. */
async function change(changes: Change[], verb: string, yes: boolean, instead: string): Promise<number> {
  for (const { title, commands } of changes) {
    console.log(`${verb} ${title}`);
    for (const command of commands) console.log(`  ${command.join(" ")}`);
  }
  if (changes.length === 0) return 0;
  if (!yes && !(await confirmed("Do it?", instead)))
    throw new UserError("nothing was changed", `answer yes, or: ${instead}`);
  for (const { commands } of changes) for (const command of commands) await capture(command);
  return changes.length;
}
