import { dev } from "./dev/command.ts";
import { runCommand } from "./lib/cli.ts";

const usage = {
  dev: `runs the service and its pages here, restarted on changes; no hosts

It starts a Redis and a PostgreSQL of its own on loopback, in a temporary folder, with the migrations of app/migrations.
Ctrl-C ends everything and removes the folder. It needs no root.

Options:
  --port N   of the counter; the workshop has the next one (default 3000)

Example: npm run dev -- --port 4000`,
};

await runCommand(dev, usage);
