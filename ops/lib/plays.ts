import { readFileSync } from "node:fs";
import { relative } from "node:path";
import { createInterface } from "node:readline";
import { PassThrough } from "node:stream";
import { parse } from "yaml";
import { openLog, outputOfFailure, passThrough, showStep } from "./exec.ts";
import { root } from "./paths.ts";

/** Reads the output of ansible-playbook, with callback_result_format = yaml. */
export class PlayReader {
  #message: string[] | undefined;

  /** The title of a play that begins with this line, or the text of a task's message that ended before it. */
  read(line: string): { play?: string; message?: string } {
    if (this.#message && !/^\S/.test(line)) {
      this.#message.push(line);
      return {};
    }
    const text = this.#message?.join("\n");
    this.#message = /^(ok|changed): \[.*=> *$/.test(line) ? [] : undefined;
    return { play: line.match(/^PLAY \[(.*)\] \**$/)?.[1], message: text === undefined ? undefined : messageIn(text) };
  }
}

function messageIn(result: string): string | undefined {
  try {
    const { msg } = parse(result) ?? {};
    return typeof msg === "string" ? msg.trim() || undefined : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Runs a playbook: each play is a step with its seconds, and the texts of its messages are printed. Everything goes to .halo/logs/<log>.log;
 * a failure prints the tasks that failed and the last lines. Resolves with the playbook's exit status.
 */
export async function runPlays(argv: string[], log: string): Promise<number> {
  const { file, out } = openLog(log);
  const output = new PassThrough();
  const reader = new PlayReader();
  let current: ReturnType<typeof showStep> | undefined;
  const end = (failed = false) => {
    current?.end(failed);
    current = undefined;
  };
  const shown = (async () => {
    for await (const line of createInterface({ input: output })) {
      out.write(`${line}\n`);
      const { play, message } = reader.read(line);
      current?.read(line);
      if (message !== undefined) {
        current?.clear();
        console.log(message);
      }
      if (play === undefined && !line.startsWith("PLAY RECAP")) continue;
      end();
      if (play !== undefined) current = showStep(play);
    }
  })();
  const status = await passThrough(argv, { stdio: ["inherit", "pipe", "inherit"] }, (chunk) => output.write(chunk));
  output.end();
  await shown;
  end(status !== 0);
  await new Promise((resolve) => out.end(resolve));
  if (status !== 0)
    console.error(`${outputOfFailure(readFileSync(file, "utf8"))}\n(all of it: ${relative(root, file)})`);
  return status;
}
