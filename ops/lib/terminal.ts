import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { UserError } from "./cli.ts";

/**
 * Asks a question on the terminal; resolves with true for yes, and with false for any other answer and for Ctrl-C.
 *
 * @param instead the command that needs no answer; a UserError names it where there is no terminal
 */
export async function confirmed(question: string, instead: string): Promise<boolean> {
  if (!process.stdin.isTTY) throw new UserError("there is no terminal to ask on, so nothing was changed", instead);
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question(`${question} (yes/no) `).catch(() => "no");
  terminal.close();
  return answer.trim() === "yes";
}

/** Reads a secret: from the terminal, which does not show it, or else all of the standard input, without the line break at its end. */
export async function readSecret(question: string): Promise<string> {
  if (!process.stdin.isTTY) {
    const parts: Buffer[] = [];
    for await (const part of process.stdin) parts.push(part as Buffer);
    return Buffer.concat(parts)
      .toString()
      .replace(/\r?\n$/, "");
  }
  process.stdout.write(question);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: silent, terminal: true });
  const answer = await terminal.question("").catch(() => "");
  terminal.close();
  process.stdout.write("\n");
  return answer;
}
