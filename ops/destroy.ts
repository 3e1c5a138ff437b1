import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { haveHosts, viaLab } from "./cluster/hosts.ts";
import { rememberLab, remembersLab } from "./cluster/labMarker.ts";
import { existingProvider } from "./cluster/provider.ts";
import { machinesOfUnfinished, unfinishedFile } from "./cluster/unfinished.ts";
import { hasLines, hostsFile } from "./hosts/hostsFile.ts";
import { runCommand, UserError } from "./lib/cli.ts";
import { step, tryCapture } from "./lib/exec.ts";
import { localPath, root } from "./lib/paths.ts";

const lab = join(root, "lab/lab");
const remains = ["/run/halo-lab", "/var/lib/halo-lab"]; // of a lab that was killed, whichever clone it was made from
const images = "/var/cache/halo-lab";
const kept = ["backups", "reports", "secrets"]; // the parts of .halo/ that a person may still want
const typed = ["alert_webhook", "alert_slack", "alert_deadman", "apps"]; // the secrets that a person has put there
const trusted = ["ca", "tls"]; // browsers may know the CA, and another one of the same cluster would be a warning
const reusable = ["runtimes"]; // with the base image: their names decide their content

const usage = {
  destroy: `removes the hosts, the lab and the generated files

A lab of this machine ends with all of its hosts, also where another clone has made it.
Backups, reports, the addresses for alerts (.halo/secrets/alert_*), the secrets of apps (.halo/secrets/apps), the local CA
(.halo/secrets/ca) and the sites' certificates and keys (.halo/secrets/tls) stay. npm run untrust takes the CA out of this
machine's stores.

Options:
  --keep-image   keep the lab's base image and the Node for the hosts; the next npm run up is a minute faster

Example: npm run destroy -- --keep-image`,
};

await runCommand(async (args) => {
  const { values } = parseArgs({ args, options: { "keep-image": { type: "boolean" } } });
  // A lab takes its hosts with it, also while a cut short `up` still works on them.
  const inLab = tryCapture([lab, "status"]) !== null || remembersLab();
  const made = existingProvider() !== null;
  if (!inLab && !made && process.env.HALO_INVENTORY && haveHosts())
    throw new UserError(
      "these hosts are servers of your own, which this command does not remove; their passwords are in .halo/secrets",
      "without HALO_INVENTORY it removes this machine's hosts and the generated files, these passwords too",
    );
  if (made && !inLab) {
    const destroy = ["vagrant", "destroy", "--force"];
    // The inventory may name the machines of an `npm run scale` that was cut short no longer.
    const left = machinesOfUnfinished();
    const inventory = { HALO_INVENTORY: unfinishedFile };
    if (left.length > 0) await step(`Destroy ${left.join(", ")}`, "vagrant", viaLab([...destroy, ...left]), inventory);
    await step("Destroy the hosts", "vagrant", viaLab(destroy));
  }
  if (inLab || [...remains, ...(values["keep-image"] ? [] : [images])].some((each) => existsSync(each)))
    await step("Take the lab away", "lab", [lab, "down", ...(values["keep-image"] ? [] : ["--purge"])]);
  rememberLab(false);
  rmSync(join(root, ".vagrant"), { recursive: true, force: true });
  clear(localPath(), [...kept, ...(values["keep-image"] ? reusable : [])]);
  clear(localPath("secrets"), [...typed, ...trusted]);
  const left = [
    "the packages that were installed",
    ...(values["keep-image"] ? ["the lab's base image", "the Node for the hosts"] : []),
    ...keptFiles(),
    ...(hasLines(readFileSync(hostsFile, "utf8")) ? [`Halo's lines in ${hostsFile} (npm run hosts -- --remove)`] : []),
  ];
  console.log(`Nothing of Halo's is left but ${left.join(", ")}.`);
}, usage);

/** The files of a person's that stay in .halo/, as paths from the project's root. */
function keptFiles(): string[] {
  return [...kept.filter((each) => each !== "secrets"), ...[...typed, ...trusted].map((each) => join("secrets", each))]
    .filter((each) => existsSync(localPath(each)))
    .map((each) => relative(root, localPath(each)));
}

/** Empties a folder but for these. */
function clear(folder: string, keep: string[]): void {
  if (!existsSync(folder)) return;
  for (const each of readdirSync(folder)) if (!keep.includes(each)) rmSync(join(folder, each), { recursive: true });
}
