import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { browserInLab, outerAddress } from "./cluster/hosts.ts";
import { inGroup } from "./cluster/inventory.ts";
import { remembersLab } from "./cluster/labMarker.ts";
import { domains } from "./cluster/sites.ts";
import { hostsFile as file, withLines } from "./hosts/hostsFile.ts";
import { runCommand, UserError } from "./lib/cli.ts";

const usage = {
  hosts: `prints the line for /etc/hosts on this machine, adds it or removes it

Options:
  --write    add the line to /etc/hosts (needs root)
  --remove   remove it again (needs root)

Example: npm run hosts -- --write`,
};

await runCommand((args) => {
  const { values } = parseArgs({ args, options: { write: { type: "boolean" }, remove: { type: "boolean" } } });
  if (values.write && values.remove) throw new UserError("--write and --remove are opposites", "give one of them");
  const [balancer] = inGroup("balancers");
  const lines = balancer && !values.remove ? [`${outerAddress(balancer)} ${domains().join(" ")}`] : [];
  if (!values.write && !values.remove) return console.log(lines.join("\n"));

  const now = readFileSync(file, "latin1"); // each byte of the other lines stays, whatever it means
  const wanted = withLines(now, lines);
  if (wanted === now) return console.log(`${file}: nothing to change`);
  try {
    // In place, not by rename: in a container this file is a mount.
    writeFileSync(file, wanted, "latin1");
  } catch (error) {
    throw new UserError(`cannot write ${file} (${error})`, `run it as root, or add by hand: ${lines.join("; ")}`);
  }
  console.log(`${file}: ${lines.length ? lines.join("; ") : "removed Halo's lines"}`);
  // The line helps there as well: a browser inside asks the same file.
  if (lines.length && remembersLab())
    console.log(`In a lab only programs that npm run exec starts reach the address: ${browserInLab}`);
}, usage);
