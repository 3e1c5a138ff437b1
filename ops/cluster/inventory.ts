import { readFileSync } from "node:fs";
import { isIPv4 } from "node:net";
import { resolve } from "node:path";
import { UserError } from "../lib/cli.ts";
import { root } from "../lib/paths.ts";
import { replaceText } from "../lib/replace.ts";
import { readYaml } from "../lib/yaml.ts";

/** The inventory in use: HALO_INVENTORY, seen from the project's root, or the committed one. */
export const inventoryFile = resolve(root, process.env.HALO_INVENTORY ?? "ansible/inventory/hosts.yml");

/** One host of the inventory; memory is in MiB. */
export type Host = {
  name: string;
  address: string;
  memory: number;
  cpus: number;
  groups: string[];
  vars: Record<string, unknown>;
};

type Group = { hosts?: Record<string, Record<string, unknown> | null>; children?: Record<string, Group | null> };

/**
 * Reads an inventory's text into its hosts, in their order; a host in several groups is one host.
 * Throws a UserError that names the host and the key when the Vagrantfile or Ansible cannot use it.
 */
export function parseInventory(text: string): Host[] {
  const found = new Map<string, { vars: Record<string, unknown>; groups: Set<string> }>();
  const named = new Set<string>();
  const walk = (name: string, group: Group | null, above: string[]) => {
    const groups = [...above, name];
    named.add(name);
    for (const [host, vars] of Object.entries(group?.hosts ?? {})) {
      const entry = found.get(host) ?? { vars: {}, groups: new Set<string>() };
      Object.assign(entry.vars, vars);
      for (const each of groups) entry.groups.add(each);
      found.set(host, entry);
    }
    for (const [child, below] of Object.entries(group?.children ?? {})) walk(child, below, groups);
  };
  try {
    walk("all", (readYaml(text) as { all: Group }).all, []);
  } catch (error) {
    throw wrong(`cannot be read as an inventory (${error instanceof Error ? error.message : error})`);
  }
  const all = [...found].map(([name, { vars, groups }]) => host(name, vars, [...groups]));
  for (const group of ["balancers", "backends"])
    if (!all.some(({ groups }) => groups.includes(group))) throw wrong(`group ${group} has no host`);
  // Without a host nothing is measured, and that is said, not forgotten.
  if (!named.has("monitoring")) throw wrong("group monitoring is missing; it may have no host: {hosts: {}}");
  const watching = all.filter(({ groups }) => groups.includes("monitoring")).map(({ name }) => name);
  if (watching.length > 1)
    throw wrong(`group monitoring has more than one host, and there can be one only: ${watching.join(", ")}`);
  for (const { name, address } of all) {
    const twin = all.find((other) => other.address === address && other.name !== name);
    if (twin) throw wrong(`${name} and ${twin.name} have the same private_ip ${address}`);
  }
  return all;
}

function host(name: string, vars: Record<string, unknown>, groups: string[]): Host {
  const { private_ip: address, memory, cpus, ...others } = vars;
  const unknown = Object.keys(others).find((key) => !key.startsWith("ansible_"));
  if (unknown)
    throw wrong(
      `${name} has the unknown key ${unknown}; a host's keys are private_ip, memory, cpus and Ansible's own (ansible_...)`,
    );
  if (typeof address !== "string") throw wrong(`${name} needs private_ip, an IPv4 address`);
  if (!isIPv4(address)) throw wrong(`${name}: private_ip ${address} is no IPv4 address`);
  if (!Number.isInteger(memory)) throw wrong(`${name} needs memory, a whole number`);
  if (!Number.isInteger(cpus)) throw wrong(`${name} needs cpus, a whole number`);
  return { name, address, memory: Number(memory), cpus: Number(cpus), groups, vars };
}

const wrong = (problem: string) =>
  new UserError(`${inventoryFile}: ${problem}`, "correct it there, then run this again");

/** The text of the inventory in use; throws a UserError when it is missing. */
export function inventoryText(): string {
  try {
    return readFileSync(inventoryFile, "utf8");
  } catch {
    throw wrong("cannot be read");
  }
}

export const writeInventoryText = (text: string): void => replaceText(inventoryFile, text);

/** The hosts of the inventory in use; throws a UserError when it is missing or wrong. */
export const hosts = (): Host[] => parseInventory(inventoryText());

/** The hosts of one group of the inventory in use. */
export const inGroup = (group: string): Host[] => hosts().filter((host) => host.groups.includes(group));
