import { doctor } from "./doctor/command.ts";
import { runCommand } from "./lib/cli.ts";

const usage = {
  doctor: `shows which hosts this machine can boot, and each problem with its fix

No options.

Example: npm run doctor`,
};

await runCommand(doctor, usage);
