import { spawn } from "node:child_process";
import { findHost, playbook, reach, remote } from "../lib/cluster.ts";
import { outputOf } from "../lib/framing.ts";
import { Problem } from "../lib/problem.ts";
import { inGroup, root } from "../lib/project.ts";
import { existingProvider } from "../lib/provider.ts";
import { now, type Shot } from "./load.ts";

export const balancer = inGroup("balancers")[0]?.name ?? "";
export const redis = inGroup("redis")[0]?.name ?? "";
export const postgres = inGroup("postgres")[0]?.name ?? "";
export const monitoring = inGroup("monitoring")[0]?.name;
export const backends: string[] = inGroup("backends").map(({ name }) => name);

/** A command's end; `at` is when its first output came, or else when it ended. */
export type Result = { code: number; output: string; at: number };

/** What a drill does its work with. Every wait ends with the drill's time, by a Problem. */
export type Scene = {
  /** The answers so far, of all its loads. */
  shots(): Shot[];
  /** The same of its writes. */
  writes(): Shot[];
  /** A line of progress. */
  say(text: string): void;
  /** Runs a command to its end; never rejects because of its exit status. */
  sh(argv: string[], options?: { input?: string; started?: (pid: number) => void }): Promise<Result>;
  /** Runs a script as root on a host; a Problem tells its output when it fails. */
  on(host: string, script: string): Promise<Result>;
  /** Like sh, but a Problem tells the output when the command fails. */
  must(argv: string[]): Promise<Result>;
  /** Asks until it is true; gives the time at which it was. */
  until(what: string, ask: () => boolean | Promise<boolean>): Promise<number>;
  /** Runs a playbook of ansible/. */
  ansible(name: string, ...args: string[]): Promise<Result>;
};

/** Makes a scene out of loads, a way to print and a signal that ends every wait. */
export function makeScene(
  shots: () => Shot[],
  say: (text: string) => void,
  signal: AbortSignal,
  writes: () => Shot[] = () => [],
): Scene {
  const late = (what: string) =>
    signal.reason instanceof Problem ? signal.reason : new Problem(`not in time: ${what}`, "npm run verify");
  const sh: Scene["sh"] = ([file = "", ...args], { input = "", started } = {}) =>
    new Promise((resolve, reject) => {
      // A group of its own: Ctrl-C is for the drill to hear, which then puts things back.
      const child = spawn(file, args, { cwd: root, detached: true, stdio: ["pipe", "pipe", "pipe"] });
      let output = "";
      let at = 0;
      const framed = [child.stdout, child.stderr].map((stream) => {
        const content = outputOf([file, ...args]);
        stream.on("data", (chunk) => {
          const rest = content.read(chunk);
          if (rest.length === 0) return;
          at ||= now();
          output += rest;
        });
        return content;
      });
      const end = () => child.pid && kill(child.pid);
      signal.addEventListener("abort", end, { once: true });
      child.on("spawn", () => started?.(child.pid ?? 0));
      child.on("error", (error) => resolve({ code: 127, output: error.message, at: now() }));
      child.on("close", (code) => {
        signal.removeEventListener("abort", end);
        if (signal.aborted) reject(late([file, ...args].join(" ")));
        else {
          const noise = framed.map((content) => content.end().noise ?? "").join("");
          resolve({ code: code ?? 1, output: `${noise}${output}`.trim(), at: at || now() });
        }
      });
      child.stdin.on("error", () => {}); // it ended without reading
      child.stdin.end(input);
      if (signal.aborted) end();
    });
  const fine = (what: string, result: Result): Result => {
    if (result.code === 0) return result;
    throw new Problem(`${what}: exit status ${result.code}\n${result.output}`, "npm run verify");
  };
  return {
    shots,
    writes,
    say,
    sh,
    must: async (argv) => fine(argv.join(" "), await sh(argv)),
    on: async (host, script) =>
      fine(
        `on ${host}: ${script}`,
        await sh(remote(findHost(host), "sudo", "bash", "-s"), { input: `set -e\n${script}\n` }),
      ),
    until: async (what, ask) => {
      for (;;) {
        if (signal.aborted) throw late(what);
        if (await ask()) return now();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    ansible: (name, ...args) => sh(playbook(name, ...args)),
  };
}

/** Ends a process group at once. */
export function kill(group: number): void {
  try {
    process.kill(-group, "SIGKILL");
  } catch {
    // it has ended by itself
  }
}

export const vagrant = (scene: Scene, ...args: string[]): Promise<Result> => scene.must(reach(["vagrant", ...args]));

/** The last lines of a text. */
export const tail = (text: string): string => text.trimEnd().split("\n").slice(-25).join("\n");

/** Resolves with the time at which the service on this backend says that it is ready, asked from the balancer. */
export async function readyAt(scene: Scene, backend: string): Promise<number> {
  const url = `http://${findHost(backend).address}:3000/readyz`;
  const { at } = await scene.on(
    balancer,
    `python3 - <<'PYTHON'
import time, urllib.request
for _ in range(3000):
    try:
        urllib.request.urlopen("${url}", timeout=1)
        print("ready")
        break
    except OSError:
        time.sleep(.1)
else:
    raise SystemExit("${backend} did not get ready")
PYTHON`,
  );
  return at;
}

/** Lets the load go on for some seconds. */
export const steady = (scene: Scene, seconds: number): Promise<number> => {
  const end = now() + seconds * 1000;
  return scene.until("the load has gone on", () => now() >= end);
};

/** Resolves with the end of the first visit that a backend (or anybody) answered to a request sent after a moment. */
export async function answered(scene: Scene, since: number, by?: string): Promise<number> {
  const find = () =>
    scene.shots().find((shot) => shot.at >= since && shot.status === 200 && (by === undefined || shot.by === by));
  await scene.until(`${by ?? "somebody"} answers again`, () => find() !== undefined);
  const shot = find();
  return shot ? shot.at + shot.ms : now();
}

/** The ids of the processes that must outlive a drill, one line for each host. */
export async function processes(scene: Scene, hosts: string[]): Promise<string> {
  const lines = hosts.map(async (host) => {
    const { output } = await scene.on(
      host,
      "pgrep -x 'nginx|redis-server' || true; pgrep -u halo -f 'pm2|app/src/main.ts' || true",
    );
    return `${host}: ${output.replaceAll("\n", " ")}`;
  });
  return (await Promise.all(lines)).join("\n");
}

/** Takes the power from a host, with nothing written down first. */
export async function cutPower(scene: Scene, host: string): Promise<Result> {
  const provider = existingProvider();
  const { output: id } = await scene.must(["cat", `.vagrant/machines/${host}/${provider}/id`]);
  const cut = {
    docker: ["docker", "kill", id],
    libvirt: ["virsh", "--connect", "qemu:///system", "destroy", id],
    virtualbox: ["VBoxManage", "controlvm", id, "poweroff"],
  };
  if (!provider) throw new Problem("Vagrant has no hosts here, so there is no power to cut", "npm run up");
  return scene.must(reach(cut[provider]));
}
