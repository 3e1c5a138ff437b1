import { run } from "./cluster/hosts.ts";
import { runCommand, UserError } from "./lib/cli.ts";

const usage = {
  exec: `runs a command where the hosts' addresses can be reached

Usage: npm run exec -- COMMAND [ARGUMENT ...]
Input, output and exit status are the command's own. With npm run -s, npm prints nothing besides.

Example: npm run exec -- curl http://192.168.56.10/`,
};

await runCommand(
  (args) => {
    if (args.length === 0) throw new UserError("no command is given", "npm run exec -- curl http://192.168.56.10/");
    return run(args);
  },
  usage,
  { passThrough: true },
);
