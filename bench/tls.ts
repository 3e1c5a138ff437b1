/** Every change of TLS is judged by these results. The kinds take turns, so that a busy machine slows all of them. */
import { runCommand } from "../ops/lib/cli.ts";

const usage = {
  "bench:tls": `compares https with http, and counts handshakes; two minutes

Options:
  --rounds N    how often each kind is measured (default 5)
  --seconds N   how long (default 4)

Example: npm run bench:tls -- --rounds 3`,
};

// Not imported above: it reads the inventory, and --help needs none.
await runCommand(async (args) => (await import("./tls/measure.ts")).measureTls(args), usage);
