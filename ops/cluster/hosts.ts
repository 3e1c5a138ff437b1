import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../lib/cli.ts";
import { passThrough, tryCapture } from "../lib/exec.ts";
import { frame } from "../lib/framing.ts";
import { root } from "../lib/paths.ts";
import { type Host, hosts, inventoryFile } from "./inventory.ts";
import { remembersLab } from "./labMarker.ts";
import { existingProvider } from "./provider.ts";

const lab = join(root, "lab/lab");

/** The command by which a browser reaches a site in a lab. */
export const browserInLab = "npm run exec -- chromium --no-sandbox URL";

/**
 * Puts the lab's entry in front of a command, which then reaches the hosts' addresses; nothing without a lab.
 * Throws a UserError when there are no such hosts: their lab is not running, or Vagrant has not made them. A machine that answers
 * at their addresses then is somebody else.
 */
export function viaLab(argv: string[]): string[] {
  if (process.env.HALO_LAB) return argv; // already inside
  if (tryCapture([lab, "status"]) !== null) return [lab, "exec", ...argv];
  if (remembersLab()) throw new UserError("the hosts' lab is not running (was the machine restarted?)", "npm run up");
  if (!haveHosts()) throw new UserError("no hosts are up", "npm run up");
  return argv;
}

/** Whether this project has hosts, up or not. Those of a person's own servers name their user; the others are Vagrant's. */
export const haveHosts = (): boolean =>
  remembersLab() || existingProvider() !== null || hosts().every(({ vars }) => vars.ansible_user !== undefined);

/** Finds a host of the inventory by name; throws a UserError that lists the names. */
export function findHost(name: string | undefined): Host {
  const all = hosts();
  const host = all.find((each) => each.name === name);
  if (!host)
    throw new UserError(
      name ? `there is no host ${name}` : "no host is named",
      `name one of ${all.map((each) => each.name).join(", ")}`,
    );
  return host;
}

/** Where this machine reaches a host: a person's own server may have another address outside than the hosts use among themselves. */
export const outerAddress = ({ vars, address }: Host): string => String(vars.ansible_host ?? address);

/** A path as the value of an ssh option: ssh splits it into words, and % begins a variable of its own. */
export const sshPath = (path: string): string => `"${path.replaceAll("%", "%%")}"`;

/** The ssh command for one host, as Ansible connects too; the remote command is joined by ssh itself. */
export function ssh(host: Host, ...command: string[]): string[] {
  const machines = join(root, ".vagrant/machines", host.name);
  const ours = existsSync(machines); // Vagrant's
  const key = ours
    ? readdirSync(machines)
        .map((provider) => join(machines, provider, "private_key"))
        .find((file) => existsSync(file))
    : undefined;
  const identity = String(host.vars.ansible_ssh_private_key_file ?? key ?? "");
  return viaLab([
    "ssh",
    ...(identity ? ["-o", `IdentityFile=${sshPath(identity)}`, "-o", "IdentitiesOnly=yes"] : []),
    ...(ours ? ["-o", `UserKnownHostsFile=${sshPath(join(root, ".vagrant/known_hosts"))}`] : []),
    "-o",
    "StrictHostKeyChecking=accept-new",
    "-o",
    "LogLevel=ERROR",
    "-o",
    "ConnectTimeout=10",
    ...(host.vars.ansible_port === undefined ? [] : ["-p", String(host.vars.ansible_port)]),
    `${host.vars.ansible_user ?? "vagrant"}@${outerAddress(host)}`,
    ...command,
  ]);
}

/**
 * The same for a command whose output is read by a program, not by a person: without the words of the host's login shell.
 * `sh`, `hear` and a drill's session take the frame away again.
 */
export const remote = (host: Host, ...command: string[]): string[] => ssh(host, frame, ...command);

/** The command that runs a playbook of ansible/ with the inventory in use, from any folder. */
export const playbook = (name: string, ...args: string[]): string[] => playbookWith(inventoryFile, name, ...args);

/** The same with another inventory. */
export const playbookWith = (inventory: string, name: string, ...args: string[]): string[] => {
  const config = `ANSIBLE_CONFIG=${join(root, "ansible/ansible.cfg")}`;
  return viaLab(["env", config, "ansible-playbook", "--inventory", inventory, join(root, "ansible", name), ...args]);
};

/** Runs a command where the hosts can be reached, on the caller's terminal; resolves with its exit status. */
export const run = (argv: string[]): Promise<number> => passThrough(viaLab(argv));
