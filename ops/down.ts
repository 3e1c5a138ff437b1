import { parseArgs } from "node:util";
import { viaLab } from "./cluster/hosts.ts";
import { machinesOfUnfinished, sayUnfinished, unfinishedFile } from "./cluster/unfinished.ts";
import { runCommand } from "./lib/cli.ts";
import { step } from "./lib/exec.ts";

const usage = {
  down: `halts the hosts; their data stay

No options.

Example: npm run down`,
};

await runCommand(async (args) => {
  parseArgs({ args, options: {} });
  // The inventory may name the machines of an `npm run scale` that was cut short no longer.
  const left = machinesOfUnfinished();
  const inventory = { HALO_INVENTORY: unfinishedFile };
  if (left.length > 0)
    await step(`Halt ${left.join(", ")}`, "vagrant", viaLab(["vagrant", "halt", ...left]), inventory);
  await step("Halt the hosts", "vagrant", viaLab(["vagrant", "halt"]));
  sayUnfinished();
}, usage);
