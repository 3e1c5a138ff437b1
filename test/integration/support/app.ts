import { type ChildProcess, spawn } from "node:child_process";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { NODE, NODE_ENVIRONMENT } from "../../../app/test/integration/support/service.ts";
import { root } from "../../../ops/lib/paths.ts";
import { freePort } from "../../../ops/loopback/port.ts";
import { until } from "../../../ops/loopback/until.ts";
import { Releases } from "./releases.ts";

export const PRELOAD = join(root, "ansible/roles/app/files/preload.cjs");

/** The Node of production with a program and the preload, and a channel for messages as from PM2. */
export function spawnNode(args: string[], env: NodeJS.ProcessEnv, cwd: string): ChildProcess {
  return spawn(NODE, ["--require", PRELOAD, ...args], {
    cwd,
    env: { ...NODE_ENVIRONMENT, ...env },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
}

/** An app of test/apps as a process of its own, with the preload, without PM2. */
export class App {
  readonly port: number;
  readonly child: ChildProcess;
  readonly releases: Releases;
  /** The exit status, or the signal that ended it. */
  readonly exit: Promise<number | string | null>;
  output = "";
  readonly messages: unknown[] = [];

  private constructor(port: number, child: ChildProcess, releases: Releases) {
    this.port = port;
    this.child = child;
    this.releases = releases;
    this.exit = new Promise((resolve) => child.once("close", (code, signal) => resolve(code ?? signal)));
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (chunk) => {
        this.output += chunk;
      });
    child.on("message", (message) => this.messages.push(message));
  }

  /** Starts it without waiting for anything. */
  static async launch(name: string, env: Record<string, string> = {}, { release = true } = {}): Promise<App> {
    const releases = await Releases.make(name, ["A"]);
    if (!release) await rm(join(releases.of("A"), "RELEASE"));
    const port = env.PORT ?? String(await freePort());
    const own = { PORT: port, HALO_PORT: port, HALO_NAME: "backend7", HALO_HOST: "127.0.0.1", ...env };
    return new App(Number(port), spawnNode(["server.js"], own, releases.current), releases);
  }

  /** Starts it and waits until it answers. */
  static async start(...[name, ...rest]: Parameters<typeof App.launch>): Promise<App> {
    const app = await App.launch(name, ...rest);
    try {
      await until(`${name} to answer`, async () => (await app.get("/")).ok);
      return app;
    } catch (error) {
      await app.destroy();
      throw new Error(`${error}; it printed:\n${app.output}`, { cause: error });
    }
  }

  get(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.port}${path}`, init);
  }

  async destroy(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.exit;
    await this.releases.remove();
  }
}
