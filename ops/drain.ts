/** `drain.ts drain HOST` takes a backend out of the balancers' turn, `drain.ts undrain HOST` puts it back. */
import { findHost, playbook } from "./lib/cluster.ts";
import { withExtraVars } from "./lib/extraVars.ts";
import { command } from "./lib/problem.ts";
import { attach } from "./lib/process.ts";

await command(([what = "drain", name]) =>
  withExtraVars({ [what]: findHost(name).name }, (extra) => attach(playbook("drain.yml", ...extra))),
);
