import { findHost, ssh } from "./lib/cluster.ts";
import { command } from "./lib/problem.ts";
import { attach } from "./lib/process.ts";

// A person's command gets a terminal, as with vagrant ssh; a pipe gets its bytes untouched.
const terminal = process.stdin.isTTY && process.stdout.isTTY ? ["-t"] : [];

await command(([name, ...remote]) => attach(ssh(findHost(name), ...terminal, ...remote)));
