import { playbook } from "./lib/cluster.ts";
import { command } from "./lib/problem.ts";
import { attach } from "./lib/process.ts";

const usage = {
  verify: `checks every part of the running cluster and changes nothing

Exit status 0 if everything is as it should be. Arguments go to ansible-playbook.

Example: npm run verify`,
};

await command((args) => attach(playbook("verify.yml", ...args)), usage, { passThrough: true });
