import { runCommand } from "./lib/cli.ts";
import { rollback } from "./releases/rollout.ts";

const usage = {
  rollback: `takes the previous release, or a named one, into service again

Usage: npm run rollback [-- RELEASE]

Options:
  -m, --message TEXT   why, for npm run releases
  --break-lock         take over the lock of a deploy that was killed

Example: npm run rollback -- -m 'Titles are cut off'`,
};

await runCommand(rollback, usage);
