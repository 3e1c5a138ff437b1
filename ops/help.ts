import { join } from "node:path";
import { parseArgs } from "node:util";
import { runCommand } from "./lib/cli.ts";
import { root } from "./lib/paths.ts";
import { overview, readUsages } from "./lib/usage.ts";

const usage = {
  help: `lists every command with one line each

No options. Every command has --help, which prints its options and an example.

Example: npm run help`,
};

const groups = {
  Run: ["up", "down", "destroy", "scale", "hosts", "trust", "untrust", "exec", "ssh", "doctor"],
  Apps: ["apps", "add", "remove", "env", "task"],
  Release: ["deploy", "rollback", "releases", "drain", "undrain"],
  Inspect: ["verify", "diagnose", "logs", "backup", "restore"],
  Test: [
    "check",
    "test",
    "test:all",
    "test:lint",
    "test:unit",
    "test:integration",
    "test:system",
    "test:vm",
    "drill",
    "fault",
    "load",
  ],
  Develop: ["dev", "fix", "seed", "bench", "bench:lists", "bench:tls", "screenshots", "help"],
};

await runCommand((args) => {
  parseArgs({ args, options: {} });
  console.log(overview(groups, readUsages(join(root, "ops"), join(root, "bench"))));
}, usage);
