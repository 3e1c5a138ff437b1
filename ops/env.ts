import { env } from "./apps/env.ts";
import { runCommand } from "./lib/cli.ts";

const usage = {
  env: `prints the variables that an app gets on a backend, without the values of secrets

Usage: npm run env -- APP

To change one: env in apps.yml, or for a secret its file in .halo/secrets/apps/APP; then npm run up.

Options:
  --show   with the values of secrets

Example: npm run env -- shop`,
};

await runCommand(env, usage);
