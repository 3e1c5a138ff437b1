import { findHost, ssh } from "./lib/cluster.ts";
import { command } from "./lib/problem.ts";
import { attach } from "./lib/process.ts";

await command(([name, ...remote]) => attach(ssh(findHost(name), ...remote)));
