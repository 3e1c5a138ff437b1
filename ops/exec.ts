import { run } from "./lib/cluster.ts";
import { command, Problem } from "./lib/problem.ts";

const usage = {
  exec: `runs a command where the hosts' addresses can be reached

Usage: npm run exec -- COMMAND [ARGUMENT ...]
Input, output and exit status are the command's own. With npm run -s, npm prints nothing besides.

Example: npm run exec -- curl http://192.168.56.10/`,
};

await command(
  (args) => {
    if (args.length === 0) throw new Problem("no command is given", "npm run exec -- curl http://192.168.56.10/");
    return run(args);
  },
  usage,
  { passThrough: true },
);
