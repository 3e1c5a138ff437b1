import { runCommand } from "./lib/cli.ts";
import { deploy } from "./releases/rollout.ts";

const usage = {
  deploy: `builds a release and serves it: one backend first, then half at a time

Options:
  -m, --message TEXT   why, for npm run releases
  --break-lock         take over the lock of a deploy that was killed

Example: npm run deploy -- -m 'Shorter titles'`,
};

await runCommand(deploy, usage);
