import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse } from "yaml";

/** The project's root folder. */
export const root = resolve(import.meta.dirname, "../..");

/** A file of the controller's own, git-ignored: secrets, releases, logs, reports. */
export const own = (...parts: string[]): string => join(root, ".halo", ...parts);

/** The inventory in use: HALO_INVENTORY, seen from the project's root, or the committed one. */
export const inventoryFile = resolve(root, process.env["HALO_INVENTORY"] ?? "ansible/inventory/hosts.yml");

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
 * Reads an inventory's text into its hosts, in their order.
 * A host in several groups is one host; its variables are merged as Ansible does. Throws on text that is no YAML.
 */
export function parseInventory(text: string): Host[] {
  const found = new Map<string, { vars: Record<string, unknown>; groups: Set<string> }>();
  const walk = (name: string, group: Group | null, above: string[]) => {
    const groups = [...above, name];
    for (const [host, vars] of Object.entries(group?.hosts ?? {})) {
      const entry = found.get(host) ?? { vars: {}, groups: new Set<string>() };
      Object.assign(entry.vars, vars);
      for (const each of groups) entry.groups.add(each);
      found.set(host, entry);
    }
    for (const [child, below] of Object.entries(group?.children ?? {})) walk(child, below, groups);
  };
  walk("all", (parse(text) as { all?: Group } | null)?.all ?? null, []);
  return [...found].map(([name, { vars, groups }]) => ({
    name,
    address: String(vars["ansible_host"] ?? vars["private_ip"]),
    memory: Number(vars["memory"]),
    cpus: Number(vars["cpus"]),
    groups: [...groups],
    vars,
  }));
}

/** The hosts of the inventory in use. Throws when the file cannot be read. */
export const hosts = (): Host[] => parseInventory(readFileSync(inventoryFile, "utf8"));

/** The names that the balancer answers for, from ansible/group_vars/all; the first is the site's. */
export function domains(): string[] {
  const vars = parse(readFileSync(join(root, "ansible/group_vars/all/main.yml"), "utf8"));
  return [String(vars.domain)];
}
