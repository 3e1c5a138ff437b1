import { runCommand } from "./lib/cli.ts";
import { deploy } from "./releases/rollout.ts";

const usage = {
  deploy: `serves a new release of an app: one backend first, then half at a time

Usage: npm run deploy [-- APP]

Without a name it is the first app of ansible/group_vars/all/apps.yml.

Options:
  -m, --message TEXT   why, for npm run releases
  --break-lock         take over the lock of a deploy that was killed

Example: npm run deploy -- demo -m 'Shorter titles'`,
};

await runCommand(deploy, usage);
