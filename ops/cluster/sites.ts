import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { firstLine, UserError } from "../lib/cli.ts";
import { localPath, root } from "../lib/paths.ts";
import { readYaml } from "../lib/yaml.ts";
import { type App, apps, findApp } from "./apps.ts";

/** Halo's own sites; a site of somebody else's has no role. */
export type Role = "counter" | "workshop" | "metrics";

/** A name that the balancer answers for, every port on which it does (at least one), the paths of its own, and the service behind /. */
export type Site = {
  domain: string;
  role?: Role;
  ports: [number, ...number[]];
  paths: string[];
  service?: string;
  /** Where its certificate comes from; ansible/filter_plugins/tls.py has the default. */
  tls: Tls;
  /** Whether its plain ports lead to https. */
  redirect: boolean;
  /** The people who can log in, each with a generated password. */
  people?: string[];
  /** The one user of a site without people. */
  user?: { name: string; password: string };
};
export type Tls = "local" | "acme" | "files" | "off";

const tlsOf = (domain: string, given?: Tls | false): Tls =>
  given === undefined ? (domain.endsWith(".test") ? "local" : "off") : given || "off";

/** As ansible/filter_plugins/tls.py has it. */
const redirectOf = (tls: Tls, login: boolean, given?: boolean): boolean =>
  given ?? ((tls === "acme" && !stagingCa()) || tls === "files" || (tls !== "off" && login));

/** Whether the CA of sites with tls: acme is one for attempts, which no browser trusts; it is the default. */
const stagingCa = (): boolean =>
  /staging/.test(
    readYaml(readFileSync(join(root, "ansible/group_vars/all/main.yml"), "utf8"))?.acme_directory ?? "staging",
  );

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
    tls?: Tls | false;
    redirect?: boolean;
    login?: unknown;
    paths?: Record<string, { service?: string } | null> | null;
  }[];
  let logins: ({ login?: Login } | undefined)[];
  try {
    given = readYaml(text).sites ?? [];
    // As they are written: a password or a name may be digits alone.
    logins = parse(text, { schema: "failsafe" }).sites ?? [];
  } catch (error) {
    throw wrong(`cannot be read: ${firstLine(error)}`);
  }
  if (!Array.isArray(given)) throw wrong("it has no site");
  const listed = given.map((site, i): Site => {
    const login = logins[i]?.login;
    if (typeof site?.domain !== "string") throw wrong(`site ${i + 1} needs domain`);
    const [port, ...ports] = new Set([site.ports ?? [], site.any_name_ports ?? []].flat());
    if (port === undefined) throw wrong(`${site.domain} needs ports or any_name_ports`);
    const service = site.paths?.["/"]?.service;
    const tls = tlsOf(site.domain, site.tls);
    return {
      domain: site.domain,
      ...(site.role && { role: site.role }),
      ports: [port, ...ports],
      paths: Object.keys(site.paths ?? {}),
      ...(service && { service }),
      tls,
      redirect: redirectOf(tls, site.login !== undefined, site.redirect),
      ...(login?.people && { people: login.people }),
      ...userOf(login),
    };
  });
  const [port = usual[0], ...ports] = given[0]?.ports ?? usual;
  const [first, ...others] = [...listed, ...ofApps([port, ...ports])];
  if (!first) throw wrong("it has no site");
  return [first, ...others];
}

type Login = { people?: string[]; user?: string; password?: string };

/** A login's one user; none where Ansible makes the password, as that of the metrics. */
const userOf = ({ user, password }: Login = {}): Pick<Site, "user"> =>
  user === undefined || !password || password.includes("{{") ? {} : { user: { name: user, password } };

/** The sites that the balancer answers for: sites.yml's, which may have none, and one for each domain of an app. */
export const sites = (): [Site, ...Site[]] =>
  parseSites(readFileSync(join(root, "ansible/group_vars/all/sites.yml"), "utf8"), (ports) =>
    apps().flatMap(({ name, domains: names, runs, entry }) =>
      names.map((domain): Site => {
        const tls = typeof entry.tls === "object" ? "files" : tlsOf(domain, entry.tls);
        return { domain, ports, paths: ["/"], ...(runs && { service: name }), tls, redirect: redirectOf(tls, false) };
      }),
    ),
  );

/** HTTPS' own port, where sites.yml names none. */
const usualTls = 443;

/** The ports of https. */
export const tlsPorts = (): number[] =>
  readYaml(readFileSync(join(root, "ansible/group_vars/all/sites.yml"), "utf8")).tls_ports ?? [usualTls];

/** The first of them. */
export const tlsPort = (): number => tlsPorts()[0] ?? usualTls;

/** The address of a site by https, by its own name; undefined where it has no certificate. */
export const secureUrlOf = ({ domain, tls }: Site, port = tlsPort()): string | undefined =>
  tls === "off" ? undefined : `https://${domain}${port === usualTls ? "" : `:${port}`}`;

/** The address under which an app that names no `tls` will answer, with the usual ports. */
export const plannedUrl = (domain: string): string => `http${tlsOf(domain) === "off" ? "" : "s"}://${domain}`;

/** How a request reaches a site at a balancer's address, with the site's name as its header Host; with tls by https. */
export type Way = { port: number; tls?: { servername: string; ca?: string; rejectUnauthorized?: boolean } };

/**
 * The way to a site: by https where its plain ports lead there, or where `secure` asks for it.
 *
 * @throws {UserError} where it has no certificate, or there is no CA yet to check it by
 */
export function wayTo({ domain, tls, redirect, ports: [port] }: Site, secure = redirect): Way {
  if (!secure) return { port };
  if (tls === "off")
    throw new UserError(
      `${domain} has no certificate`,
      "give it tls in ansible/group_vars/all/sites.yml, then: npm run up",
    );
  const ca = localPath("secrets", "ca", "ca.crt");
  if (tls === "local" && !existsSync(ca)) throw new UserError("there is no local CA yet", "npm run up, which makes it");
  return {
    port: tlsPort(),
    // A staging CA's, or one of a company's own CA: the request goes to the balancer's own address, and verify judges the certificate.
    tls: {
      servername: domain,
      ...(tls === "local" ? { ca: readFileSync(ca, "utf8") } : { rejectUnauthorized: false }),
    },
  };
}

/**
 * The header by which a command asks a site as its user or its first person; none for a site without a login.
 *
 * @throws {UserError} where the password was not generated yet
 */
export function loginOf({ domain, user, people: [person] = [] }: Site): { authorization?: string } {
  if (user) return basic(user.name, user.password);
  if (person === undefined) return {};
  const file = localPath("secrets", "logins", domain, person);
  if (!existsSync(file)) throw new UserError(`${domain} has no password for ${person} yet`, "npm run up");
  return basic(person, readFileSync(file, "utf8").trim());
}

const basic = (name: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${name}:${password}`).toString("base64")}`,
});

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

/** A site's address: by https where its plain ports lead there, and else by its name or a host's. */
export const urlOf = (site: Site, host = site.domain): string =>
  (site.redirect && secureUrlOf(site)) || `http://${host}${site.ports[0] === 80 ? "" : `:${site.ports[0]}`}`;
