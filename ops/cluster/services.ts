import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { UserError } from "../lib/cli.ts";
import { root } from "../lib/paths.ts";

/** A TCP service: its ports (or an expression of Ansible's), the groups of hosts that run it, the groups that may connect. */
export type Service = { ports: number[] | string; hosts: string[]; from: string[]; connections_per_address?: number };

/** The logs of a service: the groups of its hosts, its units (the first one by its whole name), its files. */
export type Logs = { hosts: string[]; units: string[]; files?: string[] };

const pattern = "ansible/roles/*/meta/service.yml";

/** A dictionary that the roles make together, joined as ansible/vars_plugins/services.py does it. */
export const joined = <Entry>(variable: string): Record<string, Entry> =>
  Object.assign(
    {},
    ...globSync(pattern, { cwd: root })
      .sort()
      .map((file) => parse(readFileSync(join(root, file), "utf8"))[variable]),
  );

/** The TCP services by their names. */
export const firewallServices = (): Record<string, Service> => joined("firewall_services");

/** The logs by their services' names. */
export const serviceLogs = (): Record<string, Logs> => joined("service_logs");

/** The first port of a service, by its name in firewall_services; throws a UserError where that is no number. */
export function portOf(service: string, services = firewallServices()): number {
  const [port] = [services[service]?.ports].flat();
  if (typeof port === "number") return port;
  throw new UserError(`${pattern}: firewall_services has no port for ${service}`, "add it there, then run this again");
}
