import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type AppState, appTable, noAnswer, readStates } from "./apps/table.ts";
import { type App, apps, hostsOf } from "./cluster/apps.ts";
import { remote, viaLab } from "./cluster/hosts.ts";
import { type Host, hosts } from "./cluster/inventory.ts";
import { sites } from "./cluster/sites.ts";
import { runCommand, UserError } from "./lib/cli.ts";
import { capture } from "./lib/exec.ts";
import { quote } from "./lib/script.ts";

const usage = {
  apps: `lists the apps: release, ready hosts, memory, addresses, port, source

ready: the backends on which its health path answers 200 to 399. memory: on the backend that has most, and its limit.

No options.

Example: npm run apps`,
};

/** The states of the apps that a host has, and why it says nothing. */
async function statesOn(host: Host, on: App[]): Promise<{ states: AppState[]; problem?: string }> {
  const words = on.flatMap(({ name, runs, port, health, domains }) => [
    name,
    runs ? port : 0,
    health,
    domains[0] ?? host.name,
  ]);
  const script = readFileSync(join(import.meta.dirname, "apps/state.py"), "utf8");
  try {
    const argv = remote(host, "sudo", "python3", "-", ...[host.address, ...words].map(quote));
    return { states: readStates(host.name, await capture(argv, script)) };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return {
      states: on.map(({ name, runs }) => noAnswer(host.name, name, runs)),
      problem: `${host.name} cannot be asked. Fix: npm run diagnose`,
    };
  }
}

await runCommand(async (args) => {
  parseArgs({ args, options: {} });
  viaLab([]); // throws without hosts
  const all = apps();
  const asked = hosts().map((host) => ({ host, on: all.filter((app) => hostsOf(app).includes(host.name)) }));
  const found = await Promise.all(asked.filter(({ on }) => on.length > 0).map(({ host, on }) => statesOn(host, on)));
  console.log(
    appTable(
      all,
      sites(),
      found.flatMap(({ states }) => states),
    ),
  );
  for (const { problem } of found) if (problem) console.log(problem);
}, usage);
