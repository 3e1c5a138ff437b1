import { playbook } from "./cluster/hosts.ts";
import { runCommand } from "./lib/cli.ts";
import { passThrough } from "./lib/exec.ts";

const usage = {
  verify: `checks every part of the running cluster and changes nothing

Exit status 0 if everything is as it should be. Arguments go to ansible-playbook.

Example: npm run verify`,
};

await runCommand((args) => passThrough(playbook("verify.yml", ...args)), usage, { passThrough: true });
