import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { relative } from "node:path";
import { parseArgs } from "node:util";
import { apps } from "../cluster/apps.ts";
import { playbook, playbookWith, viaLab } from "../cluster/hosts.ts";
import { type Host, inventoryFile, inventoryText, parseInventory, writeInventoryText } from "../cluster/inventory.ts";
import { freeMemory, memoryFor } from "../cluster/memory.ts";
import { existingProvider, type Provider } from "../cluster/provider.ts";
import { openSession } from "../cluster/session.ts";
import { forgetUnfinished, keepUnfinished, unfinished, unfinishedFile } from "../cluster/unfinished.ts";
import { UserError } from "../lib/cli.ts";
import { elapsed, step } from "../lib/exec.ts";
import { withExtraVars } from "../lib/extraVars.ts";
import { localPath, root } from "../lib/paths.ts";
import { confirmed } from "../lib/terminal.ts";
import { backendsOf, type Plan, refuseForApps, resize } from "./plan.ts";
import { faultyOf, leftOut } from "./staying.ts";
import { type Work, workOf } from "./work.ts";

/** Milliseconds for the answers of all hosts; a host that is down takes ten seconds, an app that is not ready thirty. */
const CHECK_MS = 120_000;
const options = { yes: { type: "boolean", default: false } } as const;

/** Adds or removes backends until there are as many as the arguments say. Every check comes before the first change. */
export async function scale(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
  const wanted = wantedOf(positionals);
  const text = inventoryText();
  const plan = resize(text, wanted);
  refuseForApps(plan, apps());
  const before = unfinished();
  const names = backendsOf(plan.text);
  if (plan.text === text && !before)
    return console.log(`backends=${wanted} as it is (${names.join(", ")}): nothing was changed.`);
  viaLab([]); // throws without hosts
  const provider = existingProvider();
  if (!provider) throw new UserError("Vagrant has made no hosts here", "npm run up, then run this again");
  refuseWithoutMemory(plan.added, provider);
  const work = workOf(plan, before);
  await check(plan.text);
  const out = await askStaying(plan, work);
  if (before) console.log("An earlier run was cut short; this one finishes its work.");
  if (wanted === 1) console.log("Note: one backend is no redundancy. While it restarts or fails, nobody answers.");
  if (work.leaving.length > 0 && !values.yes) {
    const question = `Destroy the machines of ${work.leaving.join(", ")}, with their logs? ${names.join(", ")} will answer all requests.`;
    const instead = `npm run scale -- backends=${wanted} --yes`;
    if (!(await confirmed(question, instead))) throw new UserError("nothing was changed", instead);
  }
  refuseChanged(text);
  keepUnfinished(work.unfinished);
  // Without these hosts: they may be down, and the balancers need nothing of them.
  if (work.draining.length > 0) await rotate("drain", work.draining, ...without([...work.coming, ...work.leaving]));
  if (plan.text !== text) {
    refuseChanged(text);
    writeInventoryText(plan.text);
    console.log(`${relative(root, inventoryFile)} names ${names.join(", ")}`);
  }
  const boot = ["vagrant", "up", `--provider=${provider}`, ...work.coming];
  if (work.coming.length > 0) await step(`Boot ${work.coming.join(", ")}`, "vagrant", viaLab(boot));
  await step("Configure the hosts", "ansible", playbook("site.yml", ...without(out)));
  if (work.returning.length > 0) await rotate("undrain", work.returning, ...without(out));
  if (work.leaving.length > 0) {
    const all = work.leaving.join(", ");
    // The inventory in use names them no longer.
    const inventory = { HALO_INVENTORY: unfinishedFile };
    // A halt lets the background processes of apps end by themselves.
    await step(`Halt ${all}`, "vagrant", viaLab(["vagrant", "halt", ...work.leaving]), inventory);
    await step(`Destroy ${all}`, "vagrant", viaLab(["vagrant", "destroy", "--force", ...work.leaving]), inventory);
  }
  forgetUnfinished();
  console.log(`backends=${wanted} (${names.join(", ")}) in ${elapsed()}. Check it: npm run verify`);
  if (out.length > 0) console.log(`${out.join(", ")} was left out. Fix: start or repair it, then: npm run up`);
}

/** The number in backends=N. */
function wantedOf(given: string[]): number {
  const [, digits] = given.join(" ").match(/^backends=(\d{1,3})$/) ?? [];
  if (digits === undefined)
    throw new UserError(
      given.length === 0 ? "no number of backends was given" : `${given.join(" ")} is no number of backends`,
      "npm run scale -- backends=N, with the number of backends to have",
    );
  if (Number(digits) === 0)
    throw new UserError("without a backend nobody answers", "ask for 1 or more; npm run down halts all hosts");
  return Number(digits);
}

function refuseWithoutMemory(added: Host[], provider: Provider): void {
  if (added.length === 0) return;
  const more = added.length === 1 ? "one backend more" : `${added.length} backends more`;
  const { needed, hint } = memoryFor(provider, added.reduce((sum, { memory }) => sum + memory, 0) / 1024);
  const free = freeMemory();
  if (free < needed)
    throw new UserError(
      `${more}: ${needed.toFixed(1)} GiB of memory are needed, and ${free.toFixed(1)} GiB are free`,
      hint,
    );
}

/** The checks and the drain take minutes, in which a person may write the file as well. */
function refuseChanged(text: string): void {
  if (inventoryText() !== text)
    throw new UserError(`${relative(root, inventoryFile)} was changed meanwhile, and stays so`, "run this again");
}

/** Checks all that shows without asking a host, by the inventory that this run would write. */
async function check(text: string): Promise<void> {
  const file = localPath("inventory.yml");
  mkdirSync(localPath(), { recursive: true });
  writeFileSync(file, text);
  try {
    await step("Check the new inventory", "ansible", playbookWith(file, "check.yml"));
  } finally {
    rmSync(file);
  }
}

/** Asks the hosts that stay; gives the ones that the run leaves out. */
async function askStaying({ text }: Plan, { coming, leaving }: Work): Promise<string[]> {
  const staying = parseInventory(text).filter(({ name }) => !coming.includes(name));
  const session = openSession(console.log, AbortSignal.timeout(CHECK_MS));
  const out = leftOut(await faultyOf(staying, apps(), session), leaving);
  if (out.length > 0) console.log(`Note: ${out.join(", ")} cannot be reached, and stays as it is.`);
  return out;
}

/** The arguments by which a playbook leaves out these hosts. */
const without = (names: string[]): string[] =>
  names.length === 0 ? [] : ["--limit", ["all", "localhost", ...names.map((name) => `!${name}`)].join(",")];

const rotate = (change: "drain" | "undrain", names: string[], ...args: string[]): Promise<string> =>
  withExtraVars({ [change]: names }, (extra) => {
    const title = `${change === "drain" ? "Drain" : "Undrain"} ${names.join(", ")}`;
    return step(title, "ansible", playbook("drain.yml", ...extra, ...args));
  });
