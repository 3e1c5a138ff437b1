import { resolve } from "node:path";
import { askHelp, asksForHelp, helpOf, scriptOf, type Usage } from "./usage.ts";

/** A problem that a person can solve, with the way to solve it; printed without a stack trace. */
export class UserError extends Error {
  /** The fix: a sentence or a command. */
  hint: string;
  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

/** The first line of an error's message; a YAML reader draws the place below it. */
export const firstLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split("\n", 1).join("").replace(/:$/, "");

/**
 * Runs a command's main function, whose number is the exit status; a UserError becomes two readable lines and 1.
 * `--help` prints the usage, and main does not run.
 *
 * @param usage of the scripts that run this file; programs that people do not start have none
 * @param passThrough main hands its arguments on, so only a first `--help` is this command's
 */
export async function runCommand(
  main: (args: string[]) => unknown,
  usage?: Usage,
  { passThrough = false } = {},
): Promise<void> {
  const args = process.argv.slice(2);
  const { script, own } = scriptOf(usage ?? {}, args);
  if (usage && asksForHelp(own, passThrough)) return console.log(helpOf(usage, script));
  try {
    const status = await main(args);
    process.exitCode = typeof status === "number" ? status : 0;
  } catch (error) {
    if (error instanceof UserError) console.error(`halo: ${error.message}\nFix: ${error.hint}`);
    else if (isArgumentError(error)) {
      const [message] = error.message.split(". ");
      console.error(`halo: ${message}${usage ? `\nFix: ${askHelp(script)}` : ""}`);
    } else throw error;
    process.exitCode = 1;
  }
}

const isArgumentError = (error: unknown): error is Error =>
  error instanceof Error && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");

/** A path that a person has typed, seen from the folder of the command: npm starts every command in the project's root. */
export const typedPath = (given: string): string => resolve(process.env.INIT_CWD ?? process.cwd(), given);
