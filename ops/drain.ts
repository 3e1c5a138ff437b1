/** `drain.ts drain HOST` takes a backend out of the balancers' turn, `drain.ts undrain HOST` puts it back. */
import { findHost, playbook } from "./lib/cluster.ts";
import { command } from "./lib/problem.ts";
import { attach } from "./lib/process.ts";

await command(([what = "drain", name]) =>
  attach(playbook("drain.yml", "--extra-vars", JSON.stringify({ [what]: findHost(name).name }))),
);
