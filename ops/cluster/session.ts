import { spawn } from "node:child_process";
import { UserError } from "../lib/cli.ts";
import { now } from "../lib/clock.ts";
import { outputOf } from "../lib/framing.ts";
import { root } from "../lib/paths.ts";
import { nameOf } from "../lib/script.ts";
import { findHost, playbook, remote } from "./hosts.ts";

/** A command's end; `at` is when its first output came, or else when it ended. */
export type Result = { code: number; output: string; at: number };

/** Lines of a failed script's stderr that its error has. */
const LAST_LINES = 10;

/** The error of a script that failed on a host; a script without a word on stderr may have said on stdout why. */
export const scriptError = (host: string, script: string, code: number, output: string, errors: string): UserError => {
  const lines = (errors.trim() || output.trim()).split("\n").slice(-LAST_LINES);
  return new UserError(`on ${host}: ${nameOf(script)}: exit status ${code}\n${lines.join("\n")}`, "npm run verify");
};

/** Runs commands here and on the hosts until its signal comes; every wait then ends by a UserError. */
export type Session = {
  /** A line of progress. */
  say(text: string): void;
  /** Runs a command to its end; never rejects because of its exit status. */
  sh(argv: string[], options?: { input?: string; started?: (pid: number) => void }): Promise<Result>;
  /** Runs a script as root on a host; one that fails throws a UserError with its name and its last lines. */
  on(host: string, script: string): Promise<Result>;
  /** Like sh, but a command that fails throws a UserError with its output. */
  must(argv: string[]): Promise<Result>;
  /** Checks until the condition is true; resolves with the time at which it was. */
  until(what: string, condition: () => boolean | Promise<boolean>): Promise<number>;
  /** Runs a playbook of ansible/. */
  ansible(name: string, ...args: string[]): Promise<Result>;
};

/**
 * @param say prints a line of progress
 * @param signal ends every command and every wait
 */
export function openSession(say: (text: string) => void, signal: AbortSignal): Session {
  const late = (what: string) =>
    signal.reason instanceof UserError ? signal.reason : new UserError(`not in time: ${what}`, "npm run verify");
  const run = (
    [file = "", ...args]: string[],
    { input = "", started }: { input?: string; started?: (pid: number) => void } = {},
  ) =>
    new Promise<Result & { errors: string }>((resolve, reject) => {
      // A process group of its own: Ctrl-C reaches this process only, which then undoes its changes.
      const child = spawn(file, args, { cwd: root, detached: true, stdio: ["pipe", "pipe", "pipe"] });
      let output = "";
      let errors = "";
      let at = 0;
      const framed = [child.stdout, child.stderr].map((stream) => {
        const content = outputOf([file, ...args]);
        stream.on("data", (chunk) => {
          const rest = content.read(chunk);
          if (rest.length === 0) return;
          at ||= now();
          output += rest;
          if (stream === child.stderr) errors += rest;
        });
        return content;
      });
      const end = () => child.pid && killGroup(child.pid);
      signal.addEventListener("abort", end, { once: true });
      child.on("spawn", () => started?.(child.pid ?? 0));
      child.on("error", (error) => resolve({ code: 127, output: error.message, errors: "", at: now() }));
      child.on("close", (code) => {
        signal.removeEventListener("abort", end);
        if (signal.aborted) reject(late([file, ...args].join(" ")));
        else {
          const noise = framed.map((content) => content.end().noise ?? "").join("");
          resolve({ code: code ?? 1, output: `${noise}${output}`.trim(), errors, at: at || now() });
        }
      });
      child.stdin.on("error", () => {}); // it ended without reading
      child.stdin.end(input);
      if (signal.aborted) end();
    });
  const sh: Session["sh"] = async (argv, options) => {
    const { errors: _, ...result } = await run(argv, options);
    return result;
  };
  const fine = (what: string, result: Result): Result => {
    if (result.code === 0) return result;
    throw new UserError(`${what}: exit status ${result.code}\n${result.output}`, "npm run verify");
  };
  return {
    say,
    sh,
    must: async (argv) => fine(argv.join(" "), await sh(argv)),
    on: async (host, script) => {
      const command = remote(findHost(host), "sudo", "bash", "-s");
      const { errors, ...result } = await run(command, { input: `set -e\n${script}\n` });
      if (result.code !== 0) throw scriptError(host, script, result.code, result.output, errors);
      return result;
    },
    until: async (what, condition) => {
      for (;;) {
        if (signal.aborted) throw late(what);
        if (await condition()) return now();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    ansible: (name, ...args) => sh(playbook(name, ...args)),
  };
}

/** Ends a process group at once. */
export function killGroup(group: number): void {
  try {
    process.kill(-group, "SIGKILL");
  } catch {
    // it has ended by itself
  }
}

/** Waits for some seconds, or until the session ends. */
export const pause = (session: Session, seconds: number): Promise<number> => {
  const end = now() + seconds * 1000;
  return session.until(`${seconds} s have passed`, () => now() >= end);
};
