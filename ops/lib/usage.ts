import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * The help of a command's file: a text for each npm script that runs it, under the script's name. The first line of a text
 * is the script's line in `npm run help`.
 */
export type Usage = Record<string, string>;

/** As a person types it. */
const typed = (script: string) => (script === "test" ? "npm test" : `npm run ${script}`);

/** Which script a command was started by, and the arguments without the one that package.json puts in front to distinguish scripts. */
export function scriptOf(usage: Usage, args: string[]): { script: string; own: string[] } {
  const scripts = Object.keys(usage);
  const named = scripts.find((name) => scripts.length > 1 && name.split(":").at(-1) === args[0]);
  return named ? { script: named, own: args.slice(1) } : { script: scripts[0] ?? "", own: args };
}

/** The help of one script, as `--help` prints it. */
export const helpOf = (usage: Usage, script: string): string => `${typed(script)}: ${usage[script]}`;

/** The words to type for a script's help. */
export const askHelp = (script: string): string => `${typed(script)} -- --help`;

/**
 * Whether the arguments ask for help.
 *
 * @param passThrough for a command that hands its arguments on: only the first one is its own
 */
export function asksForHelp(args: string[], passThrough: boolean): boolean {
  const end = args.indexOf("--");
  const own = passThrough ? args.slice(0, 1) : args.slice(0, end === -1 ? undefined : end);
  return own.some((each) => each === "--help" || each === "-h");
}

/**
 * The help of every command file in these folders, read from the files' text: to import one would run it.
 * The constant is called `usage`, and each of its texts is a template literal without a value in it.
 */
export function readUsages(...folders: string[]): Usage {
  const all: Usage = {};
  const files = folders.flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)));
  for (const file of files.filter((name) => name.endsWith(".ts"))) {
    const [constant = ""] = readFileSync(file, "utf8").match(/^const usage = \{\n[\s\S]*?^\};$/m) ?? [];
    for (const [, script = "", text = ""] of constant.matchAll(/^ {2}"?([\w:]+)"?: `([^`]*)`,$/gm)) all[script] = text;
  }
  return all;
}

/** Every script with the first line of its help, in groups. */
export function overview(groups: Record<string, string[]>, usages: Usage): string {
  const width = Math.max(...Object.values(groups).flatMap((scripts) => scripts.map((script) => typed(script).length)));
  const line = (script: string) => `  ${typed(script).padEnd(width)}  ${usages[script]?.split("\n")[0]}`;
  return Object.entries(groups)
    .map(([title, scripts]) => [title, ...scripts.map(line)].join("\n"))
    .concat("Options and an example: npm run COMMAND -- --help")
    .join("\n\n");
}
