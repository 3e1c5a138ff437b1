import { Document, isCollection, isMap, isNode, isPair, isScalar, type Pair, parseDocument, YAMLMap } from "yaml";
import { type App, appsFile, defaultPort, type Entry, findApp, parseApps } from "../cluster/apps.ts";
import { UserError } from "../lib/cli.ts";

/** The head of a file that does not exist yet. */
const HEAD = ` Your own apps: a map from names to keys. ansible/filter_plugins/apps.py lists every key; the usual ones:
   source    a folder, from the project's root, or a git address
   domains   the names under which the balancers serve it
   redis, postgres   true for one of its own
   migrate   a command that runs once before the first switch
   env, secrets      variables, and the ones that are generated once`;

/** Names that no app can have, as ansible/filter_plugins/apps.py has them. */
export const reservedNames = [
  "all",
  "runtime",
  "metrics",
  "backup",
  "exporters",
  "nginx",
  "certbot",
  "owner",
  "loading",
  "requests",
  "connections",
  "tls",
  "state",
  "appendonlydir",
  "pm2",
  "compile-cache",
  "current",
  "a",
];

/** A name as it can be a user's, a unit's and a folder's. */
export const nameRule = /^[a-z][a-z0-9-]{0,20}$/;
const domainRule = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;

/** The name that follows from a source: the last part of its address, without .git. */
export function nameFor(source: string): string {
  const [, last = ""] = source.replace(/\/+$/, "").match(/([^/:]+?)(?:\.git)?$/) ?? [];
  const name = last
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replace(/^[^a-z]+/, "")
    .slice(0, 21)
    .replace(/-+$/, "");
  return name || "app";
}

/** The names and domains that are taken, each with the reason. */
export type Taken = { names: Map<string, string>; domains: Map<string, string> };

/** Throws a UserError for a name or a domain that cannot be, or that another one has. */
export function refuseTaken(name: string, domain: string, all: App[], { names, domains }: Taken): void {
  if (!nameRule.test(name))
    throw new UserError(
      `${name} is no name of an app: 1 to 21 small letters, digits and -, a letter first`,
      "give one with --name",
    );
  if (!domainRule.test(domain))
    throw new UserError(`${domain} is no host name in small letters`, "give one with --domain");
  if (all.some((app) => app.name === name))
    throw new UserError(
      `${appsFile} has an app ${name} already`,
      "give another name with --name, or change the entry in the file",
    );
  const reason = names.get(name);
  if (reason) throw new UserError(`the name ${name} is ${reason}`, "give another name with --name");
  const owner = all.find((app) => app.domains.includes(domain));
  const other = owner ? `the app ${owner.name}` : domains.get(domain);
  if (other) throw new UserError(`${domain} is answered by ${other} already`, "give another name with --domain");
}

/** The port to write down: none where the one that follows from the name is free, else the next free ten. */
export function portFor(name: string, all: App[]): number | undefined {
  const taken = (port: number) => all.some((app) => Math.abs(app.port - port) < 10);
  const own = defaultPort(name);
  let port = own;
  while (taken(port)) port = port + 10 < 30_000 ? port + 10 : 20_000;
  return port === own ? undefined : port;
}

/**
 * The text of apps.yml with one more app; comments and the other entries stay as they are.
 *
 * @throws {UserError} for a file without a map of apps, and for a value that Ansible would evaluate: it came from somebody else
 */
export function withEntry(text: string, name: string, entry: Entry): string {
  refuseTemplates(entry);
  parseApps(text); // says with the file's name why it cannot be read
  const empty = text.trim() === "";
  const document = empty ? new Document({ apps: {} }) : parseDocument(text);
  const pair = pairOf(document.contents, "apps");
  const map = pair?.value;
  const lines = (column: number) => entryText(name, entry).replaceAll(/^(?=.)/gm, " ".repeat(column));
  const last = isBlock(map) ? map.items.at(-1) : undefined;
  if (last && !pairOf(map, name)) {
    const { end, column } = linesOf(text, last);
    return spliced(text, end, end, lines(column));
  }
  if (pair && !empty && isEmpty(map)) {
    const { start, end } = linesOf(text, pair);
    return spliced(text, start, end, `apps:\n${lines(2)}`);
  }
  if (empty) document.commentBefore = HEAD;
  if (!isMap(document.contents)) document.contents = document.createNode({}) as never;
  if (!isMap(document.get("apps", true))) document.set("apps", new YAMLMap());
  const apps = document.get("apps", true);
  if (isMap(apps)) apps.flow = false;
  document.setIn(["apps", name], entryNode(document, entry));
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

/** The text of apps.yml without an app and the comment above it; the other comments and entries stay as they are. */
export function withoutEntry(text: string, name: string): string {
  const document = parseDocument(text);
  const all = document.get("apps", true);
  const pair = isBlock(all) ? pairOf(all, name) : undefined;
  if (pair) {
    const { start, end } = linesOf(text, pair);
    const [comment = ""] = text.slice(0, start).match(/(?:(?<=^|\n)[ \t]+#[^\n]*\n)+$/) ?? [];
    return spliced(text, start - comment.length, end, "");
  }
  document.deleteIn(["apps", name]);
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

/** The text of apps.yml with a variable in an app's list of secrets, or without it. */
export function withSecret(text: string, app: string, key: string, listed: boolean): string {
  const document = parseDocument(text);
  const path = ["apps", app, "secrets"];
  const others = (findApp(app, parseApps(text)).entry.secrets ?? []).filter((each) => each !== key);
  const all = listed ? [...others, key] : others;
  const entry = document.getIn(["apps", app], true);
  const last = isBlock(entry) ? entry.items.at(-1) : undefined;
  if (last) {
    const pair = pairOf(entry, "secrets");
    const { start, end, column } = linesOf(text, pair ?? last);
    const line = all.length > 0 ? `${" ".repeat(column)}secrets: [${all.join(", ")}]\n` : "";
    return spliced(text, pair ? start : end, end, line);
  }
  if (all.length === 0) document.deleteIn(path);
  else document.setIn(path, document.createNode(all, { flow: true }));
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

// The file is a person's, and the yaml package would change all of it: texts of several lines, indents. So lines are put in and taken
// out where the map is written as a block.

const isBlock = (node: unknown): node is YAMLMap => isMap(node) && !node.flow && node.items.length > 0;

const isEmpty = (node: unknown): boolean =>
  node === null || (isScalar(node) && node.value === null) || (isCollection(node) && node.items.length === 0);

const pairOf = (map: unknown, name: string): Pair | undefined =>
  isMap(map) ? map.items.find(({ key }) => isScalar(key) && key.value === name) : undefined;

/** Where a pair's lines begin and end in the text that it was read from, and the column of its key. */
function linesOf(text: string, { key, value }: Pair): { start: number; end: number; column: number } {
  let last: unknown = value ?? key;
  while (isCollection(last) && !last.flow && last.items.length > 0) {
    const item: unknown = last.items.at(-1);
    last = isPair(item) ? (item.value ?? item.key) : item;
  }
  const [at = 0] = (isNode(key) && key.range) || [];
  const [, behind = text.length] = (isNode(last) && last.range) || [];
  const start = text.lastIndexOf("\n", at - 1) + 1;
  // A block scalar ends with its line.
  const end = text[behind - 1] === "\n" ? behind : text.indexOf("\n", behind) + 1;
  return { start, end: end || text.length, column: at - start };
}

/** The text with these lines in the place of others. */
function spliced(text: string, start: number, end: number, lines: string): string {
  const before = text.slice(0, start);
  return `${before}${before === "" || before.endsWith("\n") ? "" : "\n"}${lines}${text.slice(end)}`;
}

/** The entry alone, as it stands in the file. */
export const entryText = (name: string, entry: Entry): string => {
  // Ansible reads YAML 1.1, in which a tag such as 2026-01-01 is no text without quotation marks.
  const document = new Document({}, { compat: "yaml-1.1" });
  document.set(name, entryNode(document, entry));
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
};

/** An entry with its lists and maps on one line each. */
function entryNode(document: Document, entry: Entry): YAMLMap {
  const node = document.createNode(entry) as YAMLMap;
  for (const { value } of node.items) if (isCollection(value)) value.flow = true;
  return node;
}

/** Throws for a text that Ansible takes for a template: a project's script could run a command on the controller by it. */
function refuseTemplates(entry: Entry): void {
  const visit = (value: unknown, key: string) => {
    if (typeof value === "string" && /\{[{%#]/.test(value))
      throw new UserError(
        `${key} would be ${JSON.stringify(value)}, which Ansible evaluates`,
        "take the braces out of the source, or write the entry by hand",
      );
    if (value && typeof value === "object")
      for (const [below, each] of Object.entries(value)) visit(each, key || below);
  };
  for (const [key, value] of Object.entries(entry)) visit(value, key);
}
