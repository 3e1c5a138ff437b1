import { relative } from "node:path";
import { parseArgs } from "node:util";
import { apps } from "../cluster/apps.ts";
import { playbook, viaLab } from "../cluster/hosts.ts";
import { type Host, inventoryFile, inventoryText, writeInventoryText } from "../cluster/inventory.ts";
import { freeMemory, memoryFor } from "../cluster/memory.ts";
import { existingProvider, type Provider } from "../cluster/provider.ts";
import { forgetUnfinished, keepUnfinished, unfinished, unfinishedFile } from "../cluster/unfinished.ts";
import { UserError } from "../lib/cli.ts";
import { elapsed, step } from "../lib/exec.ts";
import { withExtraVars } from "../lib/extraVars.ts";
import { root } from "../lib/paths.ts";
import { confirmed } from "../lib/terminal.ts";
import { backendsOf, refuseForApps, resize } from "./plan.ts";
import { workOf } from "./work.ts";

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
  if (before) console.log("An earlier run was cut short; this one finishes its work.");
  if (wanted === 1) console.log("Note: one backend is no redundancy. While it restarts or fails, nobody answers.");
  if (work.leaving.length > 0 && !values.yes) {
    const question = `Destroy the machines of ${work.leaving.join(", ")}, with their logs? ${names.join(", ")} will answer all requests.`;
    const instead = `npm run scale -- backends=${wanted} --yes`;
    if (!(await confirmed(question, instead))) throw new UserError("nothing was changed", instead);
  }
  keepUnfinished(work.unfinished);
  // Without these hosts: they may be down, and the balancers need nothing of them.
  if (work.draining.length > 0) await rotate("drain", work.draining, ...without([...work.coming, ...work.leaving]));
  if (plan.text !== text) {
    writeInventoryText(plan.text);
    console.log(`${relative(root, inventoryFile)} names ${names.join(", ")}`);
  }
  const boot = ["vagrant", "up", `--provider=${provider}`, ...work.coming];
  if (work.coming.length > 0) await step(`Boot ${work.coming.join(", ")}`, "vagrant", viaLab(boot));
  await step("Configure the hosts", "ansible", playbook("site.yml"));
  if (work.returning.length > 0) await rotate("undrain", work.returning);
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
}

/** The number in backends=N. */
function wantedOf(given: string[]): number {
  const [, digits] = given.join(" ").match(/^backends=(\d{1,3})$/) ?? [];
  if (digits === undefined)
    throw new UserError(
      given.length === 0 ? "no number of backends was given" : `${given.join(" ")} is no number of backends`,
      "npm run scale -- backends=3",
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

/** The arguments by which a playbook leaves out these hosts. */
const without = (names: string[]): string[] => [
  "--limit",
  ["all", "localhost", ...names.map((name) => `!${name}`)].join(","),
];

const rotate = (change: "drain" | "undrain", names: string[], ...args: string[]): Promise<string> =>
  withExtraVars({ [change]: names }, (extra) => {
    const title = `${change === "drain" ? "Drain" : "Undrain"} ${names.join(", ")}`;
    return step(title, "ansible", playbook("drain.yml", ...extra, ...args));
  });
