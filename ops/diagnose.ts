import { diagnoseCommand } from "./diagnose/command.ts";
import { runCommand } from "./lib/cli.ts";

const usage = {
  diagnose: `names the likely cause of a problem, the evidence and the next steps

Exit status 0 if nothing is wrong, 1 if something is or could not be inspected. Advice on the number of backends does not count.

Options:
  --window TIME   how far back the metrics reach, 20s to 60m (default 2m)
  --json          print an object for programs

Example: npm run diagnose -- --window 5m`,
};

await runCommand(diagnoseCommand, usage);
