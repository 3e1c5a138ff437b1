import { spawn } from "node:child_process";
import { join } from "node:path";
import { onTestFailed } from "vitest";
import { findHost, playbook, remote, viaLab } from "../../ops/cluster/hosts.ts";
import { hosts, inGroup } from "../../ops/cluster/inventory.ts";
import { outputOf } from "../../ops/lib/framing.ts";
import { root } from "../../ops/lib/paths.ts";
import { quote } from "../../ops/lib/script.ts";

export type Result = { code: number; output: string };

function begin(argv: string[], env: NodeJS.ProcessEnv) {
  const [file = "", ...args] = argv;
  const child = spawn(file, args, { cwd: root, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    const content = outputOf(argv);
    stream.on("data", (chunk) => {
      output += content.read(chunk);
    });
    stream.on("end", () => {
      output += content.end().noise ?? "";
    });
  }
  const ended = new Promise<number | null>((resolve) => {
    child.on("error", (error) => {
      output = error.message;
      resolve(127);
    });
    child.on("close", resolve);
  });
  return { child, ended, output: () => output };
}

/** Runs a command to its end; output is stdout and stderr as they came. Never rejects. */
export async function sh(argv: string[], env: NodeJS.ProcessEnv = {}): Promise<Result> {
  const { ended, output } = begin(argv, env);
  return { code: (await ended) ?? 1, output: output() };
}

/** Starts a command (its file, from the root) that goes on until a signal ends it. */
export const start = (script: string, args: string[], env: NodeJS.ProcessEnv = {}) =>
  begin([process.execPath, join(root, script), ...args], env);

/** Like sh, but throws with the output when the command fails. */
export async function must(argv: string[], env?: NodeJS.ProcessEnv): Promise<string> {
  const { code, output } = await sh(argv, env);
  if (code !== 0) throw new Error(`${argv.join(" ")}: exit status ${code}\n${output}`);
  return output.trim();
}

/** Runs a shell line as root on a host; throws with its output when it fails. */
export const on = (host: string, line: string): Promise<string> =>
  must(remote(findHost(host), "sudo", "sh", "-c", quote(line)));

export const vagrant = (...args: string[]): Promise<string> => must(viaLab(["vagrant", ...args]));

/** Runs a playbook; resolves with its exit status and output. */
export const ansible = (name: string, ...args: string[]): Promise<Result> => sh(playbook(name, ...args));

export const backends = inGroup("backends").map((host) => host.name);

/** Asks until the answer is true; throws with the last error after the given milliseconds. Resolves with the milliseconds it took. */
export async function until(what: string, ms: number, ask: () => Promise<boolean>): Promise<number> {
  const since = performance.now();
  let last: unknown;
  while (performance.now() - since < ms) {
    try {
      if (await ask()) return performance.now() - since;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`not within ${ms} ms: ${what}`, { cause: last });
}

/** When the test fails, prints the last lines of the journals and of nginx's log that explain it. */
export function explainByJournals(): void {
  onTestFailed(async () => {
    for (const { name, groups } of hosts()) {
      const commands = [
        `journalctl --no-pager -n 40 ${groups.includes("backends") ? "-u halo@*" : "-u nginx -u redis-server -u postgresql@* -u prometheus*"}`,
        ...(groups.includes("balancers") ? ["tail -n 20 /var/log/nginx/access.log"] : []),
      ];
      for (const command of commands) {
        const { output } = await sh(remote(findHost(name), "sudo", ...command.split(" ")));
        console.error(`--- ${name}: ${command}\n${output}`);
      }
    }
  });
}
