import { env } from "./apps/env.ts";
import { runCommand } from "./lib/cli.ts";

const usage = {
  env: `prints the variables that an app gets on a backend, or sets a secret

Usage: npm run env -- APP
       npm run env -- APP set NAME     asks for the value, or reads the standard input
       npm run env -- APP unset NAME

A secret is a file in .halo/secrets/apps/APP, and its name is in apps.yml; npm run up brings a change into service. Variables that are
no secrets belong into env in apps.yml.

Options:
  --show   with the values of secrets

Example: npm run env -- shop set STRIPE_KEY`,
};

await runCommand(env, usage);
