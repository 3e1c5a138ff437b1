import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { isAbsolute, join, relative } from "node:path";
import { parseArgs } from "node:util";
import { appsFile, appsText, defaultPort, type Entry, parseApps, writeAppsText } from "../cluster/apps.ts";
import { hosts } from "../cluster/inventory.ts";
import { firewallServices } from "../cluster/services.ts";
import { counterSite, plannedUrl, sites } from "../cluster/sites.ts";
import { typedPath, UserError } from "../lib/cli.ts";
import { root } from "../lib/paths.ts";
import { type Detected, detect, keysOf } from "./detect.ts";
import { entryText, nameFor, portFor, refuseTaken, reservedNames, type Taken, withEntry } from "./entry.ts";
import { readProject } from "./project.ts";
import { fetchSource, isAddress } from "./source.ts";
import { printable } from "./text.ts";

const options = {
  domain: { type: "string" },
  name: { type: "string" },
  ref: { type: "string" },
  path: { type: "string" },
  start: { type: "string" },
} as const;

/** Adds an app to apps.yml: reads its source, says what it is and needs, and writes the entry. */
export async function add(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
  const [given, ...others] = positionals;
  if (given === undefined)
    throw new UserError("a source is needed: a folder or a git address", "npm run add -- --help");
  if (others.length > 0)
    throw new UserError(
      `one source is added at a time, and ${positionals.join(", ")} are given`,
      "npm run add -- SOURCE --domain NAME: npm takes options away that have no -- before them",
    );
  const source = sourceFor(given);
  const name = values.name ?? nameFor(source);
  const domain = values.domain ?? `${name}.${counterSite().domain}`;
  refuseTaken(name, domain, parseApps(appsText()), taken());

  const folder = mkdtempSync(join(tmpdir(), "halo-add-"));
  try {
    const { revision, notes } = await fetchSource({ source, ref: values.ref }, folder);
    const project = readProject(folder, values.path);
    if (values.path && !existsSync(join(folder, values.path)))
      notes.push(`the source has no folder ${values.path}, so its build has to make it`);
    const detected = detect(project, process.versions.node, values.start);
    const keys = keysOf(detected);
    const text = appsText(); // it may have changed while the source was fetched
    const all = parseApps(text);
    refuseTaken(name, domain, all, taken());
    const port = keys.static ? undefined : portFor(name, all);
    const entry: Entry = {
      source,
      ...(values.ref && { ref: values.ref }),
      ...(values.path && { path: values.path }),
      ...keys,
      ...(port && { port }),
      domains: [domain],
    };
    writeAppsText(withEntry(text, name, entry));
    console.log(report(name, `${source} at ${revision}`, entry, detected, notes));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The source as apps.yml has it: a folder from the project's root where it lies in it. */
function sourceFor(given: string): string {
  if (/^https?:\/\/[^/]*@|^[a-z+.-]+:\/\/[^/@]*:[^/@]*@/i.test(given))
    throw new UserError(
      "the address has a login in it, and apps.yml is committed",
      "take it out, and use an SSH key or git's credential helper",
    );
  if (isAddress(given)) return given;
  const folder = typedPath(given);
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory())
    throw new UserError(
      existsSync(folder) ? `${given} is a file` : `the folder ${given} does not exist`,
      "give a folder that exists, or a git address such as https://...",
    );
  const below = relative(root, folder);
  return below.startsWith("..") || isAbsolute(below) ? folder : below || ".";
}

/** Names and domains that no app can have. */
function taken(): Taken {
  const names = new Map(reservedNames.map((name) => [name, "Halo's own"]));
  for (const service of Object.keys(firewallServices())) names.set(service, "a service's");
  for (const host of hosts())
    for (const each of [host.name, ...host.groups]) names.set(each, "a host's or a group's in the inventory");
  return { names, domains: new Map(sites().map(({ domain }) => [domain, "a site of sites.yml"])) };
}

/** The words of the command. Texts of the source may hold anything. */
export function report(
  name: string,
  from: string,
  entry: Entry,
  { found, assumed, defaults, care }: Detected,
  notes: string[],
): string {
  const part = (title: string, lines: string[]) =>
    lines.length > 0 ? [title, ...lines.map((line) => `  ${printable(line)}`), ""] : [];
  const value = (each: unknown) => (typeof each === "string" ? each : JSON.stringify(each));
  const under = (entry.domains ?? []).map((domain) => `, under ${plannedUrl(domain)}`).join("");
  const next = [
    ["npm run up", `its first release${under}`],
    ["npm run hosts -- --write", "as root: its name for the programs of this machine"],
    [`npm run deploy -- ${name}`, "each later release"],
  ] as const;
  const width = Math.max(26, ...next.map(([command]) => command.length));
  return [
    `${name}: ${printable(from)}`,
    "",
    ...part("Found:", [...found, ...notes]),
    ...part("Assumed:", [
      ...assumed.map((each) => `${each.key}: ${value(each.value)} (${each.why})`),
      ...defaults,
      ...(entry.static ? [] : [`port: ${entry.port ?? `${defaultPort(name)} (it follows from the name)`}`]),
    ]),
    ...part("Needs your decision:", care),
    `Added to ${appsFile}:`,
    ...entryText(name, entry)
      .trimEnd()
      .split("\n")
      .map((line) => `  ${line}`),
    "",
    "Check these lines, then:",
    ...next.map(([command, use]) => `  ${command.padEnd(width)} # ${use}`),
  ].join("\n");
}
