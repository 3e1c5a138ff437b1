/**
 * The likely cause of what is wrong, with the evidence and what to do: `npm run diagnose`, `-- --window 5m`, `-- --json`.
 * Exit status 0 when nothing is wrong, 1 when something is or could not be inspected.
 */
import { diagnoseCommand } from "./diagnose/command.ts";
import { runCommand } from "./lib/cli.ts";

const usage = {
  diagnose: `names the likely cause of a problem, the evidence and the next steps

Exit status 0 if nothing is wrong.

Options:
  --window TIME   how far back the metrics reach, 20s to 60m (default 2m)
  --json          print an object for programs

Example: npm run diagnose -- --window 5m`,
};

await runCommand(diagnoseCommand, usage);
