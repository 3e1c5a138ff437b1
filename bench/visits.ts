/** Every later change is judged by these results. The servers take turns, so that a busy machine slows all of them. */
import { runCommand } from "../ops/lib/cli.ts";

const usage = {
  bench: `measures GET / beside a bare server and Fastify; five minutes

Options:
  --rounds N    how often each of the three is measured (default 8)
  --seconds N   how long (default 5)

Example: npm run bench -- --rounds 4`,
};

// Not imported above: it reads the inventory, and --help needs none.
await runCommand(async (args) => (await import("./visits/measure.ts")).measureVisits(args), usage);
