import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { NODE, NODE_ENVIRONMENT } from "../../../app/test/integration/support/service.ts";
import { root } from "../../../ops/lib/paths.ts";
import { freePort } from "../../../ops/loopback/port.ts";
import { until } from "../../../ops/loopback/until.ts";
import { Releases } from "./releases.ts";

export const PRELOAD = join(root, "ansible/roles/app/files/preload.cjs");

/** The Node of production with a program and the preload, and a channel for messages as from PM2; `output` is a file's descriptor. */
export function spawnNode(args: string[], env: NodeJS.ProcessEnv, cwd: string, output: "pipe" | number): ChildProcess {
  return spawn(NODE, ["--require", PRELOAD, ...args], {
    cwd,
    env: { ...NODE_ENVIRONMENT, ...env },
    stdio: ["ignore", output, output, "ipc"],
  });
}

/** An app of test/apps as a process of its own, with the preload, without PM2. */
export class App {
  readonly port: number;
  readonly child: ChildProcess;
  readonly releases: Releases;
  readonly log: string;
  /** The exit status, or the signal that ended it. */
  readonly exit: Promise<number | string | null>;
  readonly messages: unknown[] = [];

  private constructor(port: number, env: Record<string, string>, releases: Releases) {
    this.port = port;
    this.releases = releases;
    this.log = `${releases.folder}.log`;
    const output = openSync(this.log, "w");
    this.child = spawnNode(["server.js"], env, releases.current, output);
    closeSync(output);
    this.exit = new Promise((resolve) => this.child.once("close", (code, signal) => resolve(code ?? signal)));
    this.child.on("message", (message) => this.messages.push(message));
  }

  /**
   * Starts it without waiting for anything.
   *
   * @param named whether the release has a file RELEASE
   */
  static async launch(
    name: string,
    env: Record<string, string> = {},
    { release = "A", named = true } = {},
  ): Promise<App> {
    const releases = await Releases.make(name, [release]);
    if (!named) await rm(join(releases.of(release), "RELEASE"));
    const port = env.PORT ?? String(await freePort());
    const own = { PORT: port, HALO_PORT: port, HALO_NAME: "backend7", HALO_HOST: "127.0.0.1", ...env };
    return new App(Number(port), own, releases);
  }

  /** Starts it and waits until it answers. */
  static async start(...[name, ...rest]: Parameters<typeof App.launch>): Promise<App> {
    const app = await App.launch(name, ...rest);
    try {
      await until(`${name} to answer`, async () => (await app.get("/")).ok);
      return app;
    } catch (error) {
      const { output } = app;
      await app.destroy();
      throw new Error(`${error}; it printed:\n${output}`, { cause: error });
    }
  }

  /** All that it has printed so far. */
  get output(): string {
    return readFileSync(this.log, "utf8");
  }

  get(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.port}${path}`, init);
  }

  async destroy(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.exit;
    await this.releases.remove();
    await rm(this.log, { force: true });
  }
}
