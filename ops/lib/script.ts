/** Programs that live in files of their own language, as text that a shell runs. */
import { readFileSync } from "node:fs";
import { basename } from "node:path";

/** A text as one word of a shell. */
export const quote = (text: string | number): string => `'${String(text).replaceAll("'", "'\\''")}'`;

const words = (values: (string | number)[]) => values.map(quote).join(" ");

/** The text of a program's file. */
export const textOf = (file: URL): string => readFileSync(file, "utf8");

const mark = "# Program: ";
const marked = (file: URL) => `${mark}${basename(file.pathname)}`;

/** A shell text's name for a message: the file that it was made of, or its first line, cut to 100 characters. */
export function nameOf(script: string): string {
  const lines = script.split("\n");
  const file = lines.find((line) => line.startsWith(mark));
  if (file) return file.slice(mark.length);
  const first = lines.find((line) => line.trim() && line !== "echo") ?? "";
  return first.length > 100 ? `${first.slice(0, 99)}…` : first;
}

/** Shell text that goes on with a shell program and these arguments, with the options of the shell that runs it. */
export const shellScript = (file: URL, ...args: (string | number)[]): string =>
  `${marked(file)}\nset -- ${words(args)}\n${textOf(file)}`;

/** Shell text that runs a command with a text as its input. */
export const withInput = (command: string, text: string): string =>
  `${command} <<'END_OF_INPUT'\n${text}\nEND_OF_INPUT`;

/** Shell text that gives an interpreter a program as its input, with these arguments. */
export const inputScript = (interpreter: string, file: URL, ...args: (string | number)[]): string =>
  `${marked(file)}\n${withInput(`${interpreter} - ${words(args)}`, textOf(file))}`;

/** Shell text that runs a Python program with these arguments. */
export const pythonScript = (file: URL, ...args: (string | number)[]): string => inputScript("python3", file, ...args);

/**
 * The SQL of a file with its variables replaced, for any client; written as psql has them: `:name`, and `:'name'` for a literal.
 *
 * @throws {Error} for a variable without a value, and for a text where the file has a number
 */
export const sqlScript = (file: URL, variables: Record<string, number | string>): string =>
  textOf(file).replace(/(?<!:):(?:'(\w+)'|([a-z]\w*))/g, (found, literal?: string, name?: string) => {
    const value = variables[literal ?? name ?? ""];
    if (value === undefined || (name && typeof value !== "number"))
      throw new Error(`${file.pathname}: no value for ${found}`);
    return name ? String(value) : `'${String(value).replaceAll("'", "''")}'`;
  });
