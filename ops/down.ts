import { parseArgs } from "node:util";
import { reach } from "./lib/cluster.ts";
import { command } from "./lib/problem.ts";
import { step } from "./lib/process.ts";

const usage = {
  down: `halts the hosts; their data stay

No options.

Example: npm run down`,
};

await command(async (args) => {
  parseArgs({ args, options: {} });
  await step("Halt the hosts", "vagrant", reach(["vagrant", "halt"]));
}, usage);
