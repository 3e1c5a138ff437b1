import { runCommand } from "./lib/cli.ts";
import { rollback } from "./releases/rollout.ts";

const usage = {
  rollback: `takes an app's previous release, or a named one, into service again

Usage: npm run rollback [-- APP] [RELEASE]

Without a name it is the first app of ansible/group_vars/all/apps.yml.

Options:
  -m, --message TEXT   why, for npm run releases
  --break-lock         take over the lock of a deploy that was killed

Example: npm run rollback -- demo -m 'Titles are cut off'`,
};

await runCommand(rollback, usage);
