import { playbook } from "./lib/cluster.ts";
import { command } from "./lib/problem.ts";
import { attach } from "./lib/process.ts";

await command((args) => attach(playbook("verify.yml", ...args)));
