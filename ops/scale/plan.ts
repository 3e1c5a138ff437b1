/** Another number of backends as a change of the inventory's text. No effects. */
import { Document, isMap, isScalar, parseDocument } from "yaml";
import { type App, appsFile } from "../cluster/apps.ts";
import { type Host, inventoryFile, parseInventory } from "../cluster/inventory.ts";
import { UserError } from "../lib/cli.ts";

/** The new text of the inventory, the backends that come, and the backends that go, the highest number first. */
export type Plan = { text: string; added: Host[]; removed: Host[] };

/** A backend whose name is a word and a number. */
type Numbered = { host: Host; word: string; digits: string };

const byHand = "or change the inventory by hand: docs/operations/hosts.md";

/** The names of an inventory's backends. */
export const backendsOf = (text: string): string[] => backendsIn(parseInventory(text)).map(({ name }) => name);

const backendsIn = (all: Host[]): Host[] => all.filter(({ groups }) => groups.includes("backends"));

/**
 * Changes an inventory's text to this number of backends; every other line stays as it is.
 *
 * @throws {UserError} for a server of somebody's own, names without a pattern, a name or an address that is taken, and a backend
 * with other services
 */
export function resize(text: string, wanted: number): Plan {
  const all = parseInventory(text);
  const present = backendsIn(all);
  if (wanted === present.length) return { text, added: [], removed: [] };
  const own = present.find(({ vars }) => ["ansible_user", "ansible_host", "ansible_port"].some((key) => key in vars));
  if (own)
    throw new UserError(
      `${own.name} is a server of your own, and npm run scale makes and destroys Vagrant's machines only`,
      "add or remove it by hand: docs/operations/servers.md",
    );
  const plan = wanted > present.length ? grown(text, all, present, wanted) : shrunk(text, present, wanted);
  parseInventory(plan.text); // a line that goes may have an anchor that another one uses
  return plan;
}

/** The backends that have a number, the lowest first. */
function numberedOf(present: Host[]): Numbered[] {
  const numbered = present.flatMap((host): Numbered[] => {
    const [, word = "", digits] = host.name.match(/^(.*?)(\d+)$/) ?? [];
    return digits === undefined ? [] : [{ host, word, digits }];
  });
  if (new Set(numbered.map(({ word }) => word)).size === 1)
    return numbered.toSorted((one, other) => Number(one.digits) - Number(other.digits));
  throw new UserError(
    `the names of the backends have no pattern to continue: ${present.map(({ name }) => name).join(", ")}`,
    `name them by one word and a number, such as backend1 and backend2, ${byHand}`,
  );
}

/** The next numbers and addresses behind the highest number's, with its memory, CPUs and other keys. */
function grown(text: string, all: Host[], present: Host[], wanted: number): Plan {
  const { host, word, digits } = numberedOf(present).at(-1) as Numbered;
  const [, network = "", last = ""] = host.address.match(/^(.*\.)(\d+)$/) ?? [];
  const added = Array.from({ length: wanted - present.length }, (_, i): Host => {
    const name = `${word}${String(Number(digits) + 1 + i).padStart(digits.length, "0")}`;
    const end = Number(last) + 1 + i;
    const address = `${network}${end}`;
    if (end > 254) throw new UserError(`no address is left in ${network}0/24 for ${name}`, `ask for fewer, ${byHand}`);
    refuseTaken(name, address, all);
    return { ...host, name, address, groups: ["all", "backends"], vars: { ...host.vars, private_ip: address } };
  });
  const lines = text.split("\n");
  const { first, below } = entriesOf(text, present).at(-1) as Entry;
  const [indent = ""] = lines[first]?.match(/^ */) ?? [];
  const carriageReturn = lines[below - 1]?.endsWith("\r") ? "\r" : "";
  lines.splice(below, 0, ...added.map(({ name, vars }) => `${indent}${entryText(name, vars)}${carriageReturn}`));
  return { text: lines.join("\n"), added, removed: [] };
}

function refuseTaken(name: string, address: string, all: Host[]): void {
  if (all.some((host) => host.name === name || host.groups.includes(name)))
    throw new UserError(
      `the next backend would be ${name}, which is the name of another host or of a group`,
      `give that one another name, ${byHand}`,
    );
  const other = all.find((host) => host.address === address);
  if (other)
    throw new UserError(
      `${name} would get the address ${address}, which is ${other.name}'s`,
      `give ${other.name} another address, ${byHand}`,
    );
}

function shrunk(text: string, present: Host[], wanted: number): Plan {
  const count = present.length - wanted;
  const removed = numberedOf(present)
    .slice(-count)
    .map(({ host }) => host)
    .reverse();
  if (removed.length < count)
    throw new UserError(
      `only ${removed.map(({ name }) => name).join(", ")} can go, because the other backends have no number`,
      `ask for ${present.length - removed.length} or more, ${byHand}`,
    );
  for (const { name, groups } of removed) {
    const other = groups.find((group) => group !== "all" && group !== "backends");
    if (other)
      throw new UserError(
        `${name} is in the group ${other} too, which would lose it`,
        `take ${name} out of ${other} in the inventory, and its services to another host, then run this again`,
      );
  }
  const lines = text.split("\n");
  const gone = entriesOf(text, present).filter(({ name }) => removed.some((host) => host.name === name));
  // The last one first, so that the numbers of the lines above stay right.
  for (const { first, below } of gone.toReversed()) lines.splice(first, below - first);
  return { text: lines.join("\n"), added: [], removed };
}

/** The lines of a host: the first, and the one below its last. */
type Entry = { name: string; first: number; below: number };

/** The backends' entries, from top to bottom. */
function entriesOf(text: string, present: Host[]): Entry[] {
  const map: unknown = parseDocument(text).getIn(["all", "children", "backends", "hosts"], true);
  const keys = isMap(map) && !map.flow ? map.items.map(({ key }) => key) : [];
  const lines = text.split("\n");
  const entries = keys.flatMap((key): Entry[] => {
    if (!isScalar(key) || !key.range) return [];
    const first = text.slice(0, key.range[0]).split("\n").length - 1;
    return [{ name: String(key.value), first, below: endOf(lines, first) }];
  });
  if (present.every((host) => entries.some(({ name }) => name === host.name))) return entries;
  throw new UserError(
    `${inventoryFile}: the backends are not written one below the other under all, children, backends, hosts`,
    "write them so, as in ansible/inventory/hosts.yml, then run this again",
  );
}

/** The line below an entry: all lines that are indented deeper than its first one belong to it. */
function endOf(lines: string[], first: number): number {
  const depth = (line = "") => line.search(/[^ ]/);
  const next = lines.findIndex((line, i) => i > first && line.trim() !== "" && depth(line) <= depth(lines[first]));
  let below = next < 0 ? lines.length : next;
  while (lines[below - 1]?.trim() === "") below--;
  return below;
}

/** A host as one line of the inventory. */
function entryText(name: string, vars: Host["vars"]): string {
  // Ansible reads YAML 1.1.
  const document = new Document({}, { compat: "yaml-1.1" });
  document.set(name, document.createNode(vars, { flow: true }));
  return document.toString({ lineWidth: 0, flowCollectionPadding: false }).trimEnd();
}

/** Throws a UserError for an app that names a backend that goes, and for a backend that would have an app's name. */
export function refuseForApps({ added, removed }: Plan, apps: App[]): void {
  for (const { name } of removed) {
    const app = apps.find(({ hosts }) => hosts?.includes(name));
    if (app)
      throw new UserError(
        `${appsFile}: the key hosts of ${app.name} names ${name}`,
        `take ${name} out of it, then: npm run up; then run this again`,
      );
  }
  for (const { name } of added)
    if (apps.some((app) => app.name === name))
      throw new UserError(`the next backend would be ${name}, which is an app's name`, `rename the app, ${byHand}`);
}
