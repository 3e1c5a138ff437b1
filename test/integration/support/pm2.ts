import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { NODE_ENVIRONMENT } from "../../../app/test/integration/support/service.ts";
import { root } from "../../../ops/lib/paths.ts";
import { freePort } from "../../../ops/loopback/port.ts";
import { until } from "../../../ops/loopback/until.ts";
import { PRELOAD } from "./app.ts";
import type { Releases } from "./releases.ts";

const BIN = join(root, "node_modules/.bin");

type Listed = { pid: number; pm2_env: { status: string; restart_time: number } };

/** A pm2-runtime of its own with one app and the preload, as a backend's unit starts it. */
export class Pm2 {
  readonly port: number;
  readonly dir: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #runtime: ChildProcess;
  readonly exit: Promise<number | null>;
  output = "";

  private constructor(port: number, dir: string, env: NodeJS.ProcessEnv) {
    this.port = port;
    this.dir = dir;
    this.#env = env;
    this.#runtime = spawn(join(BIN, "pm2-runtime"), ["start", join(dir, "app.config.json")], { cwd: dir, env });
    this.exit = new Promise((resolve) => this.#runtime.once("close", resolve));
    for (const stream of [this.#runtime.stdout, this.#runtime.stderr])
      stream?.on("data", (chunk) => {
        this.output += chunk;
      });
  }

  /** Starts it without waiting for anything. */
  static async launch(
    releases: Releases,
    mode: "cluster" | "fork",
    { workers = 1, ...given }: { workers?: number; [setting: string]: string | number | undefined } = {},
  ): Promise<Pm2> {
    const dir = await mkdtemp(join(tmpdir(), "halo-pm2-"));
    const port = Number(given.PORT ?? (await freePort()));
    const settings = { PORT: port, HALO_PORT: port, HALO_NAME: "backend7", HALO_HOST: "127.0.0.1", ...given };
    const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}\n`);
    await writeFile(join(dir, "app.env"), lines.join(""));
    const app = {
      name: "app",
      cwd: releases.current,
      script: "./server.js",
      interpreter: "node",
      node_args: [`--env-file=${join(dir, "app.env")}`, "--require", PRELOAD],
      pmx: false,
      exec_mode: mode,
      instances: workers,
      wait_ready: true,
      listen_timeout: 60_000,
      kill_timeout: Number(given.LAME_DUCK_MS ?? 500) + Number(given.SHUTDOWN_DEADLINE_MS ?? 8000) + 2000,
      exp_backoff_restart_delay: 100,
      max_restarts: 1_000_000,
      out_file: "/dev/null",
      error_file: "/dev/null",
    };
    await writeFile(join(dir, "app.config.json"), JSON.stringify({ apps: [app] }));
    const env = { ...NODE_ENVIRONMENT, PATH: `${BIN}:${process.env.PATH}`, HOME: dir, PM2_HOME: join(dir, "pm2") };
    return new Pm2(port, dir, env);
  }

  /** Starts it and waits until its app answers. */
  static async start(...args: Parameters<typeof Pm2.launch>): Promise<Pm2> {
    const pm2 = await Pm2.launch(...args);
    try {
      await until("the app under PM2", async () => (await fetch(`http://127.0.0.1:${pm2.port}/`)).ok);
      return pm2;
    } catch (error) {
      await pm2.destroy();
      throw new Error(`${error}; it printed:\n${pm2.output}`, { cause: error });
    }
  }

  get pid(): number {
    return this.#runtime.pid as number;
  }

  /** Runs one command of PM2. */
  async command(...args: string[]): Promise<string> {
    return (await promisify(execFile)(join(BIN, "pm2"), args, { env: this.#env, cwd: this.dir })).stdout;
  }

  async list(): Promise<Listed[]> {
    const list = await this.command("jlist");
    return JSON.parse(list.slice(list.indexOf("[")));
  }

  async destroy(): Promise<void> {
    if (this.#runtime.exitCode === null) this.#runtime.kill("SIGTERM");
    await this.exit;
    await rm(this.dir, { recursive: true, force: true });
  }
}
