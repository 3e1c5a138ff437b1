import { accessSync, constants, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { UserError } from "../lib/cli.ts";
import { tryCapture } from "../lib/exec.ts";
import { root } from "../lib/paths.ts";
import { remembersLab } from "./labMarker.ts";

/** What Vagrant can boot hosts with; lab means a daemon of the lab's own (lab/lab), not of this machine's. */
export type Provider = "virtualbox" | "libvirt" | "docker";
/** A provider and, in a few words, the reason for it. */
export type Choice = { provider: Provider; lab: boolean; why: string };

/** The abilities of this machine; each usable is a provider of the machine's own that answers. */
export type Machine = {
  linux: boolean;
  root: boolean;
  apt: boolean;
  kvm: boolean;
  /** Of this project's lab; that of another clone is not for its hosts. */
  labRunning: Provider | null;
  /** The folder of the clone whose lab runs instead; a machine has one lab at most. */
  foreignLab: string | null;
  existing: Provider | null;
  /** Whether this project's hosts live in a lab, running or not. */
  inLab: boolean;
  usable: Provider[];
};

const providers: Provider[] = ["virtualbox", "libvirt", "docker"];
const isProvider = (name: string): name is Provider => providers.some((provider) => provider === name);

/** Checks this machine; takes up to a second or two, changes nothing. */
export function inspectMachine(): Machine {
  const linux = process.platform === "linux";
  const answers: Record<Provider, boolean> = {
    virtualbox: tryCapture(["VBoxManage", "list", "hostinfo"]) !== null,
    libvirt:
      linux &&
      tryCapture(["virsh", "--connect", "qemu:///system", "version"]) !== null &&
      (tryCapture(["vagrant", "plugin", "list"]) ?? "").includes("vagrant-libvirt"),
    // Elsewhere the containers' addresses cannot be reached: they live inside Docker's own VM.
    docker: linux && tryCapture(["docker", "version", "--format", "{{.Server.Version}}"]) !== null,
  };
  const labProgram = join(root, "lab/lab");
  const lab = tryCapture([labProgram, "status"]) ?? "";
  return {
    linux,
    root: process.getuid?.() === 0,
    apt: tryCapture(["apt-get", "--version"]) !== null,
    kvm: linux && writable("/dev/kvm") && /\b(vmx|svm)\b/.test(readFileSync("/proc/cpuinfo", "utf8")),
    labRunning: isProvider(lab) ? lab : null,
    foreignLab: lab === "" && tryCapture([labProgram, "status", "--any"]) !== null ? labOwner() : null,
    existing: existingProvider(),
    inLab: !process.env.HALO_LAB && remembersLab(), // inside, its provider is the machine's own
    usable: providers.filter((provider) => answers[provider]),
  };
}

/** The folder of the clone that made the running lab. */
const labOwner = (): string => dirname(readFileSync("/run/halo-lab/made-by", "utf8").trim());

function writable(file: string): boolean {
  try {
    accessSync(file, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** The provider that this project's hosts were made with, or null when there are none. */
export function existingProvider(): Provider | null {
  try {
    const made = readdirSync(join(root, ".vagrant/machines"), { recursive: true, encoding: "utf8" });
    return made.map((path) => path.match(/^[^/]+\/([^/]+)\/id$/)?.[1] ?? "").find(isProvider) ?? null;
  } catch {
    return null;
  }
}

/** Whether this project's hosts are VMs whose CPUs are emulated, as they may be in a lab (lab/lab). */
export const emulated = (): boolean => Boolean(process.env.HALO_EMULATED) && existingProvider() !== "docker";

/**
 * Picks the provider that boots the hosts: the one that made them, the one asked for by name, a provider of the
 * machine's own, and else a lab: real VMs where hardware virtualisation works, containers where it does not.
 * Throws a UserError when nothing can be had here, or the name asked for is wrong.
 */
export function choose(machine: Machine, wanted?: string): Choice {
  if (wanted !== undefined && !isProvider(wanted))
    throw new UserError(`there is no provider ${wanted}`, `use one of ${providers.join(", ")}`);
  const made = machine.labRunning ?? machine.existing;
  if (made && wanted && made !== wanted)
    throw new UserError(`the hosts were made with ${made}, not ${wanted}`, "npm run destroy, then run this again");
  if (machine.labRunning) return { provider: machine.labRunning, lab: true, why: "the lab is running" };

  const name = wanted ?? machine.existing ?? undefined;
  // A reboot, which ends the lab, starts the Docker that was installed for it.
  const ready = machine.inLab ? undefined : machine.usable.find((provider) => name === undefined || provider === name);
  if (ready)
    return { provider: ready, lab: false, why: name ? `${ready} works here` : `${ready} is the first that works here` };

  if (machine.existing && !machine.inLab)
    throw new UserError(
      `the hosts were made with ${machine.existing}, which does not answer`,
      "start it, then run this again; if it is gone for good, remove .vagrant first",
    );
  const lab = machine.linux && machine.root && machine.apt && name !== "virtualbox";
  if (!lab)
    throw new UserError(
      `no ${name ?? "provider"} is usable on this machine`,
      "install VirtualBox, libvirt with vagrant-libvirt, or Docker; or, on Debian or Ubuntu, run this as root for a lab (docs/operations/hosts.md)",
    );
  if (machine.foreignLab)
    throw new UserError(
      `the lab of another clone is running (${machine.foreignLab}), and a machine has one lab at most`,
      "use its hosts there; or take it away with its data, here or there: npm run destroy; then run this again",
    );
  const virtualisation = machine.kvm ? "hardware virtualisation works" : "no hardware virtualisation";
  if (name === "libvirt" || (!name && machine.kvm))
    return {
      provider: "libvirt",
      lab: true,
      why: machine.kvm ? virtualisation : `${virtualisation}, so QEMU emulates (slow)`,
    };
  return {
    provider: "docker",
    lab: true,
    why: wanted
      ? "asked for by name"
      : name
        ? "the hosts were made with it"
        : `no provider is usable here, ${virtualisation}`,
  };
}
