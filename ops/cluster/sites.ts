import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { firstLine, UserError } from "../lib/cli.ts";
import { root } from "../lib/paths.ts";
import { type App, apps, findApp } from "./apps.ts";

/** Halo's own sites; a site of somebody else's has no role. */
export type Role = "counter" | "workshop" | "metrics";

/** A name that the balancer answers for, every port on which it does (at least one), the paths of its own, and the service behind /. */
export type Site = { domain: string; role?: Role; ports: [number, ...number[]]; paths: string[]; service?: string };

/** The ports of the apps' sites where there is no other one: HTTP's own. */
const usual: Site["ports"] = [80];

/**
 * Reads the sites of a text like ansible/group_vars/all/sites.yml; throws a UserError when one has no name or no port.
 *
 * @param ofApps the apps' own sites, on the ports that the first site has under its name
 */
export function parseSites(text: string, ofApps: (ports: Site["ports"]) => Site[] = () => []): [Site, ...Site[]] {
  const wrong = (problem: string) =>
    new UserError(`ansible/group_vars/all/sites.yml: ${problem}`, "correct it there, then run this again");
  let given: {
    domain?: string;
    role?: Role;
    ports?: number[];
    any_name_ports?: number[];
    paths?: Record<string, { service?: string } | null> | null;
  }[];
  try {
    given = parse(text).sites ?? [];
  } catch (error) {
    throw wrong(`cannot be read: ${firstLine(error)}`);
  }
  if (!Array.isArray(given)) throw wrong("it has no site");
  const listed = given.map((site, i): Site => {
    if (typeof site?.domain !== "string") throw wrong(`site ${i + 1} needs domain`);
    const [port, ...ports] = new Set([site.ports ?? [], site.any_name_ports ?? []].flat());
    if (port === undefined) throw wrong(`${site.domain} needs ports or any_name_ports`);
    const service = site.paths?.["/"]?.service;
    return {
      domain: site.domain,
      ...(site.role && { role: site.role }),
      ports: [port, ...ports],
      paths: Object.keys(site.paths ?? {}),
      ...(service && { service }),
    };
  });
  const [port = usual[0], ...ports] = given[0]?.ports ?? usual;
  const [first, ...others] = [...listed, ...ofApps([port, ...ports])];
  if (!first) throw wrong("it has no site");
  return [first, ...others];
}

/** The sites that the balancer answers for: sites.yml's, which may have none, and one for each domain of an app. */
export const sites = (): [Site, ...Site[]] =>
  parseSites(readFileSync(join(root, "ansible/group_vars/all/sites.yml"), "utf8"), (ports) =>
    apps().flatMap(({ name, domains: names, runs }) =>
      names.map((domain): Site => ({ domain, ports, paths: ["/"], ...(runs && { service: name }) })),
    ),
  );

/** The site with this role, or undefined without one. */
export const siteOf = (role: Role, all: Site[] = sites()): Site | undefined => all.find((site) => site.role === role);

/** The site of the visit counter: the one with its role, or else the first. */
export const counterSite = (all: [Site, ...Site[]] = sites()): Site => siteOf("counter", all) ?? all[0];

/** The app behind the visit counter's site, which drills, loads and faults are about; else the first one. */
export const counterApp = (): App => {
  const { service } = counterSite();
  const all = apps();
  return findApp(all.find(({ name }) => name === service)?.name, all);
};

/** The first site whose pages an app answers; throws a UserError without one. */
export function siteOfApp(app: App, all: Site[] = sites()): Site {
  const site = all.find(({ service }) => service === app.name);
  if (site) return site;
  throw new UserError(`no site is answered by ${app.name}`, "give it domains in apps.yml");
}

/** The site that answers a path: the first that has the path, or a folder around it, as one of its own; else the counter's. */
export const siteFor = (path: string, all: [Site, ...Site[]] = sites()): Site =>
  all.find(({ paths }) => paths.some((own) => own !== "/" && `${path}/`.startsWith(own))) ?? counterSite(all);

/** The sites' names, in their order. */
export const domains = (): string[] => sites().map((site) => site.domain);

/** A site's address, by its name or by a host's. */
export const urlOf = ({ domain, ports: [port] }: Site, host = domain): string =>
  `http://${host}${port === 80 ? "" : `:${port}`}`;
