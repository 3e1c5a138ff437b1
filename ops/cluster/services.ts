import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../lib/cli.ts";
import { root } from "../lib/paths.ts";
import { readYaml } from "../lib/yaml.ts";
import { apps } from "./apps.ts";
import { sites, tlsPorts } from "./sites.ts";

/** A TCP service: its ports, the groups of hosts that run it, the groups that may connect. */
export type Service = { ports: number[]; hosts: string[]; from: string[]; connections_per_address?: number };

/** The logs of a service: the groups of its hosts, its units (the first one by its whole name), its files. */
export type Logs = { hosts: string[]; units: string[]; files?: string[] };

const pattern = "ansible/roles/*/meta/service.yml";

/** A dictionary that the roles make together, joined as ansible/vars_plugins/services.py does it; the apps' part is not in it. */
export const joined = <Entry>(variable: string): Record<string, Entry> =>
  Object.assign(
    {},
    ...globSync(pattern, { cwd: root })
      .sort()
      .map((file) => readYaml(readFileSync(join(root, file), "utf8"))[variable]),
  );

/** A service as its role gives it: its ports may be an expression of Ansible's. */
type Given = Omit<Service, "ports"> & { ports: number[] | string };

const noPort = (service: string) =>
  new UserError(`${pattern}: firewall_services has no port for ${service}`, "add it there, then run this again");

/** Puts ports in the place of expressions; throws a UserError that names a service without any. */
export function withPorts(given: Record<string, Given>, computed: Record<string, number[]>): Record<string, Service> {
  const all = Object.entries(given).map(([name, service]): [string, Service] => {
    const ports = Array.isArray(service.ports) ? service.ports : computed[name];
    if (!ports?.length) throw noPort(name);
    return [name, { ...service, ports }];
  });
  return Object.fromEntries(all);
}

/**
 * The TCP services by their names, the apps among them: http with every port of the sites and those of https, metrics with the ports of all
 * workers.
 */
export function firewallServices(): Record<string, Service> {
  const all = sites();
  const secure = all.some(({ tls }) => tls !== "off") ? tlsPorts() : [];
  const computed = { http: [...new Set([...all.flatMap(({ ports }) => ports), ...secure])] };
  const running = apps().filter(({ runs }) => runs);
  const ofApps = running.map(({ name, port }): [string, Service] => [
    name,
    { ports: [port], hosts: ["backends"], from: ["balancers"] },
  ]);
  const metrics: Service = {
    ports: running.flatMap(({ metricsPorts }) => metricsPorts),
    hosts: ["backends"],
    from: ["monitoring"],
  };
  return {
    ...withPorts(joined("firewall_services"), computed),
    ...Object.fromEntries(ofApps),
    ...(metrics.ports.length > 0 && { metrics }),
  };
}

/** The logs by their services' names, the apps among them. */
export const serviceLogs = (): Record<string, Logs> => ({
  ...joined<Logs>("service_logs"),
  ...Object.fromEntries(
    apps()
      .filter(({ runs }) => runs)
      .map(({ name, unit, candidateUnit, cronUnits }) => [
        name,
        { hosts: ["backends"], units: [unit, candidateUnit, cronUnits] },
      ]),
  ),
});

/** The first port of a service, by its name in firewall_services; throws a UserError without such a service. */
export function portOf(service: string, services = firewallServices()): number {
  const [port] = services[service]?.ports ?? [];
  if (port === undefined)
    throw new UserError(`${pattern}: firewall_services has no ${service}`, "add it there, then run this again");
  return port;
}
