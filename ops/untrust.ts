import { runCommand } from "./lib/cli.ts";
import { untrust } from "./tls/trust.ts";

const usage = {
  untrust: `takes every local CA out of this machine's stores; asks first

Options:
  --yes   do not ask

Example: npm run untrust`,
};

await runCommand(untrust, usage);
