import { findHost, ssh } from "./cluster/hosts.ts";
import { runCommand } from "./lib/cli.ts";
import { passThrough } from "./lib/exec.ts";

const usage = {
  ssh: `opens a shell on a host, or runs one command there

Usage: npm run ssh -- HOST [COMMAND ...]

Example: npm run ssh -- backend1 sudo systemctl status halo@demo`,
};

// A person's command gets a terminal, as with vagrant ssh; a pipe gets its bytes untouched.
const terminal = process.stdin.isTTY && process.stdout.isTTY ? ["-t"] : [];

await runCommand(([name, ...remote]) => passThrough(ssh(findHost(name), ...terminal, ...remote)), usage, {
  passThrough: true,
});
