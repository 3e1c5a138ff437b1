/** `drain.ts drain HOST` takes a backend out of the balancers' turn, `drain.ts undrain HOST` puts it back. */
import { parseArgs } from "node:util";
import { findHost, playbook } from "./lib/cluster.ts";
import { withExtraVars } from "./lib/extraVars.ts";
import { command, Problem } from "./lib/problem.ts";
import { attach } from "./lib/process.ts";

const usage = {
  drain: `takes a backend out of the balancer's rotation, for maintenance

Usage: npm run drain -- HOST

Example: npm run drain -- backend1`,
  undrain: `puts a drained backend into the balancer's rotation again

Usage: npm run undrain -- HOST

Example: npm run undrain -- backend1`,
};

await command(([what = "drain", ...args]) => {
  const [name, more] = parseArgs({ args, allowPositionals: true, options: {} }).positionals;
  if (more !== undefined) throw new Problem(`${name} ${more}: one host at a time`, "name one");
  return withExtraVars({ [what]: findHost(name).name }, (extra) => attach(playbook("drain.yml", ...extra)));
}, usage);
