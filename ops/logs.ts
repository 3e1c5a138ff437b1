import { runCommand } from "./lib/cli.ts";
import { logs } from "./logs/command.ts";

const usage = {
  logs: `shows the logs of all hosts in one, or one request's way through them

Usage: npm run logs [-- HOST|SERVICE]

An app is a service by its name.

Options:
  -f, --follow    go on with new lines until Ctrl-C
  --since TIME    90s, 10m, 2h or 3d (default 10m)
  -n, --lines N   at most so many lines of each host (default 1000; 10 with --follow)
  --request ID    every line about one request: the X-Request-Id of its answer
  --json          print an object for each line

Example: npm run logs -- nginx --since 2m`,
};

await runCommand(logs, usage);
