import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { UserError } from "../lib/cli.ts";
import { root } from "../lib/paths.ts";

const file = "ansible/group_vars/all/firewall.yml";

/** The first port of a service in a text like firewall.yml; throws a UserError where that is no number. */
export function parsePort(text: string, service: string): number {
  const [port] = [parse(text).firewall_services?.[service]?.ports].flat();
  if (Number.isInteger(port)) return port;
  throw new UserError(`${file}: firewall_services has no port for ${service}`, "add it there, then run this again");
}

/** The first port of a service, by its name in firewall_services. */
export const portOf = (service: string): number => parsePort(readFileSync(join(root, file), "utf8"), service);
