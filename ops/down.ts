import { reach } from "./lib/cluster.ts";
import { command } from "./lib/problem.ts";
import { step } from "./lib/process.ts";

await command(async () => {
  await step("Halt the hosts", "vagrant", reach(["vagrant", "halt"]));
});
