/** Programs that live in files of their own language, as text that a shell runs. */
import { readFileSync } from "node:fs";

/** A text as one word of a shell. */
export const quote = (text: string | number): string => `'${String(text).replaceAll("'", "'\\''")}'`;

const words = (values: (string | number)[]) => values.map(quote).join(" ");

/** The text of a program's file. */
export const textOf = (file: URL): string => readFileSync(file, "utf8");

/** Shell text that goes on with a shell program and these arguments, with the options of the shell that runs it. */
export const shellScript = (file: URL, ...args: (string | number)[]): string =>
  `set -- ${words(args)}\n${textOf(file)}`;

/** Shell text that runs a Python program with these arguments. */
export const pythonScript = (file: URL, ...args: (string | number)[]): string =>
  `python3 - ${words(args)} <<'PYTHON'\n${textOf(file)}\nPYTHON`;
