/** Every release of an app that its hosts have, newest first: where it serves, whether it failed, who deployed it and why. */
import { parseArgs } from "node:util";
import { findApp, hostsOf } from "./cluster/apps.ts";
import { findHost, remote } from "./cluster/hosts.ts";
import { type Host, inGroup } from "./cluster/inventory.ts";
import { runCommand, UserError } from "./lib/cli.ts";
import { captureBytes } from "./lib/exec.ts";
import { linesOf, readLog, releaseTable } from "./releases/table.ts";

const usage = {
  releases: `lists an app's releases: where each serves, when and why it was deployed

Usage: npm run releases [-- APP]

Without a name it is the first app of ansible/group_vars/all/apps.yml.

Example: npm run releases`,
};

/** A command's output on a host, or null where it cannot be reached; the reason is printed. */
function on(host: Host, line: string): string | null {
  try {
    return String(captureBytes(remote(host, "sudo", "sh", "-c", `'${line}'`)));
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    console.error(`${host.name}: ${error.message}`);
    return null;
  }
}

await runCommand((args) => {
  const { positionals } = parseArgs({ args, allowPositionals: true, options: {} });
  if (positionals.length > 1) throw new UserError(`${positionals.join(" ")}: one app at a time`, "name one, or none");
  const app = findApp(positionals[0]);
  const [balancer] = inGroup("balancers");
  const log = balancer && on(balancer, "cat /var/lib/halo-cluster/deploys.log 2>/dev/null || true");
  const { lines, torn } = readLog(log ?? "");
  // Of a static app halo-release knows the releases, and the link to its pages the one that serves.
  const list = `halo-release ${app.name} list`;
  const served = `served=$(readlink ${app.pages}/current | cut -d / -f 7)`;
  const ask = app.runs
    ? list
    : `all=$(${list}) || exit; ${served}; echo "$all" | sed "s/^$served kept$/$served serving/"`;
  const places = hostsOf(app).map((name) => ({ name, list: on(findHost(name), ask) }));
  console.log(releaseTable(linesOf(lines, app.name, findApp().name), places));
  if (torn > 0)
    console.log(
      `Left out: ${torn} line${torn > 1 ? "s" : ""} of /var/lib/halo-cluster/deploys.log on ${balancer?.name} that cannot be read`,
    );
  const away = places.filter(({ list }) => list === null).map(({ name }) => name);
  if (log === null) away.push("the balancer, which has the log");
  if (away.length > 0) console.log(`Not asked, because unreachable: ${away.join(", ")}`);
}, usage);
