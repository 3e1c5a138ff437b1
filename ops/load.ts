import { runCommand } from "./lib/cli.ts";

const usage = {
  load: `sends load by a scenario; compares the client's metrics with Prometheus'

Usage: npm run load -- SCENARIO

Options:
  --list            name the scenarios, and do nothing
  --rate N          requests a second
  --duration TIME   such as 90s or 5m
  --connections N   at most so many at once
  --path PATH       ask for this path
  --https           the requests go by https
  --compare FILE    print an earlier report's metrics (.halo/reports/load-*.json) beside these

Example: npm run load -- spike --rate 100 --duration 30s`,
};

// Not imported above: it reads the inventory, and --help needs none.
await runCommand(async (args) => (await import("./load/command.ts")).load(args), usage);
