/** Finds out which script of an app Node runs: PM2 takes a file with its arguments, and no shell. */
import { UserError } from "../lib/cli.ts";
import type { Project } from "./project.ts";

/** How an app starts: one command of plain words, where it was found, and remarks. */
export type Start = { words: string[]; from: string; notes: string[] };

/** Programs that run a script again after a change or a crash; PM2 does the latter. */
const watchers = ["nodemon", "node-dev", "supervisor", "forever", "pm2", "pm2-runtime"];

/** Programs that serve a frontend while it is developed, or a folder of files: their app is static. */
const servers: RegExp[] = [
  /^react-scripts start$/,
  /^vite( dev| serve| preview)?( |$)/,
  /^vue-cli-service serve/,
  /^ng serve/,
  /^parcel(?! build)( |$)/,
  /^(webpack serve|webpack-dev-server)/,
  /^astro (dev|preview)/,
  /^(serve|http-server|live-server|local-web-server|ws|sirv)( |$)/,
  /^(gatsby|docusaurus|eleventy|@11ty\/eleventy) /,
];

/** Whether a command serves files that a build makes. */
export const servesFiles = (words: string[]): boolean => servers.some((each) => each.test(words.join(" ")));

/**
 * The command that starts an app: the given one, or else Procfile's web, the script `start`, main, or index.js or server.js
 * beside package.json. Undefined where the app has none.
 *
 * @param has whether the app has a file
 * @throws {UserError} for a command that is more than one program with its arguments
 */
export function startOf(project: Project, has: (path: string) => boolean, given?: string): Start | undefined {
  const { manifest, procfile } = project;
  const scripts = manifest?.scripts ?? {};
  if (given !== undefined) return plain(given, scripts, "the key start");
  if (procfile.web !== undefined) return plain(procfile.web, scripts, "Procfile's web");
  if (scripts.start !== undefined) {
    const found = plain(scripts.start, scripts, "the script start");
    return scripts.prestart === undefined ? found : { ...found, notes: [...found.notes, notBefore("start")] };
  }
  const file = [manifest?.main, "server.js", "index.js", "app.js"].find((each) => each !== undefined && has(each));
  if (file === undefined) return undefined;
  return {
    words: ["node", file],
    from: file === manifest?.main ? "main of package.json" : "the file's name",
    notes: [],
  };
}

const notBefore = (name: string) =>
  `the script pre${name} does not run before the start; its work belongs into build or migrate`;

/** One command of plain words, without npm, npx, variables and watchers; throws a UserError for one that needs a shell. */
export const commandOf = (command: string, { manifest }: Project, from: string): string[] =>
  plain(command, manifest?.scripts ?? {}, from).words;

/** Takes npm, npx, variables and watchers off a command, as often as they come. */
function plain(command: string, scripts: Record<string, string>, from: string, depth = 0): Start {
  const refuse = (problem: string, fix: string) => new UserError(`start (${from}) is \`${command}\`: ${problem}`, fix);
  if (depth > 5) throw refuse("its scripts start each other", "give the last command as start");
  if (/[;&|<>`\n]|\$[({\w]/.test(command))
    throw refuse(
      "it needs a shell, and PM2 starts one program",
      "give the server's own command as start, such as node server.js, and a first command as migrate or build",
    );
  const words = wordsOf(command);
  const notes: string[] = [];
  if (words[0] === "cross-env" || words[0] === "env") words.shift();
  while (/^[A-Za-z_]\w*=/.test(words[0] ?? "")) {
    const [name, value] = (words.shift() ?? "").split(/=(.*)/s);
    if (name === "NODE_ENV" && value === "production") continue; // as Halo sets it
    if (name === "PORT" || name === "HOST")
      throw refuse(`it sets ${name} itself, and Halo gives it`, `give start without ${name}=`);
    throw refuse(`it sets ${name}`, `give start without it, and in env: {${name}: ${value}}`);
  }
  const again = (name: string, rest: string[]) => {
    const script = scripts[name];
    if (script === undefined)
      throw refuse(`package.json has no script ${name}`, "give the command that starts the server as start");
    if (scripts[`pre${name}`] !== undefined) notes.push(notBefore(name));
    const found = plain([script, ...rest.map(quoted)].join(" "), scripts, `${from}, script ${name}`, depth + 1);
    return { ...found, notes: [...notes, ...found.notes] };
  };
  const [program = "", first = "", second = "", ...rest] = words;
  const behind = (args: string[]) => (args[0] === "--" ? args.slice(1) : args);
  if (program === "npm" || program === "yarn" || program === "pnpm") {
    if (first === "run" || first === "run-script") return again(second, behind(rest));
    if (first === "start" || (program !== "npm" && first in scripts)) return again(first, behind(words.slice(2)));
  }
  if (program === "node" && first === "--run") return again(second, behind(rest));
  if (program === "npx") return plain(words.slice(1).map(quoted).join(" "), scripts, from, depth + 1);
  if (watchers.includes(program)) {
    const after =
      program.startsWith("pm2") || program === "forever" ? words.slice(first === "start" ? 2 : 1) : words.slice(1);
    const file = after.find((word) => /\.[cm]?[jt]s$/.test(word));
    if (!file || /\.config\.[cm]?js$|ecosystem/.test(file))
      throw refuse(
        `${program} runs it, and Halo runs PM2 itself`,
        "give the script that it starts as start: node server.js",
      );
    return { words: ["node", file], from, notes: [`${program} is left out: PM2 starts the app again after a crash`] };
  }
  if (["sh", "bash"].includes(program) || program.endsWith(".sh"))
    throw refuse(
      "it needs a shell, and PM2 starts one program",
      "give the command at its end as start, such as node server.js",
    );
  if (words.length === 0) throw refuse("it is empty", "give the command that starts the server as start");
  return { words, from, notes };
}

/** The words of a command, without its quotes. */
export const wordsOf = (command: string): string[] =>
  [...command.matchAll(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g)].map(([word]) =>
    word.replaceAll(/"([^"]*)"|'([^']*)'/g, "$1$2"),
  );

/** A word that {@link wordsOf} reads as one. */
export const quoted = (word: string): string =>
  /^[^\s"']+$/.test(word) ? word : word.includes('"') ? `'${word}'` : `"${word}"`;
