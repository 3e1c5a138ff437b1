import { parseArgs } from "node:util";
import { viaLab } from "./cluster/hosts.ts";
import { runCommand } from "./lib/cli.ts";
import { step } from "./lib/exec.ts";

const usage = {
  down: `halts the hosts; their data stay

No options.

Example: npm run down`,
};

await runCommand(async (args) => {
  parseArgs({ args, options: {} });
  await step("Halt the hosts", "vagrant", viaLab(["vagrant", "halt"]));
}, usage);
