/**
 * GET / of the deployed cluster beside a bare node:http server on the same hosts behind the same nginx, in turns,
 * and redis-benchmark's INCR: what every later change is judged by. `npm run bench -- --rounds 8 --seconds 5`
 * Ctrl-C ends it early. Should nobody be left to end it, the hosts put themselves right.
 */
import { runCommand } from "../ops/lib/cli.ts";

const usage = {
  bench: `measures GET / beside a bare server on the same hosts; three minutes

Options:
  --rounds N    how often each of the two is measured (default 8)
  --seconds N   how long (default 5)

Example: npm run bench -- --rounds 4`,
};

// Not imported above: it reads the inventory, and --help needs none.
await runCommand(async (args) => (await import("./visits/measure.ts")).measureVisits(args), usage);
