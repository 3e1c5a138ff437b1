import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { freePort } from "../../../../ops/loopback/port.ts";
import type { PostgresServer } from "../../../../ops/loopback/postgres.ts";
import { type RedisServer, SERVICE_LOGIN } from "../../../../ops/loopback/redis.ts";
import { until } from "../../../../ops/loopback/until.ts";

export const ROOT = fileURLToPath(new URL("../../../../", import.meta.url));
const pinned = `${ROOT}node_modules/.bin/node`;
/** The Node of production, also where the tests themselves were started by another one. */
export const NODE = existsSync(pinned) ? pinned : process.execPath;
/** All that a Node of the tests needs; its settings come on top. The hosts keep a compile cache as well. */
export const NODE_ENVIRONMENT = {
  PATH: process.env.PATH ?? "",
  NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? "",
};

type TimedVisit = { status: number; ms: number; response: Response; body: Record<string, unknown> };

/** The real service as a process of its own. */
export class Service {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly exit: Promise<number | null>;
  output = "";
  ready = false;

  private constructor(port: number, child: ChildProcess) {
    this.port = port;
    this.#child = child;
    this.exit = new Promise((resolve) => child.once("close", resolve));
    child.stdout?.on("data", (chunk) => {
      this.output += chunk;
    });
    child.stderr?.on("data", (chunk) => {
      this.output += chunk;
    });
    child.on("message", (message) => {
      if (message === "ready") this.ready = true;
    });
  }

  /** Starts it without waiting for anything. */
  static async launch(env: Record<string, string> = {}): Promise<Service> {
    const port = Number(env.HALO_PORT ?? (await freePort()));
    const child = spawn(NODE, [`${ROOT}app/src/main.ts`], {
      env: { ...NODE_ENVIRONMENT, HALO_NAME: "web1", HALO_PORT: String(port), ...env },
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    return new Service(port, child);
  }

  /** Starts a service and waits until it listens, without waiting for Redis. */
  static async start(redis: RedisServer, env: Record<string, string> = {}): Promise<Service> {
    const service = await Service.launch({ REDIS_PORT: String(redis.port), ...SERVICE_LOGIN, ...env });
    return service.#when("the service to be ready", () => service.ready);
  }

  /** Starts it and waits until it counts visits. */
  static async startConnected(redis: RedisServer, env: Record<string, string> = {}): Promise<Service> {
    const service = await Service.start(redis, env);
    return service.#when("Redis", async () => (await service.get("/readyz")).status === 200);
  }

  /** Starts it without any Redis and waits until its workshop answers. */
  static async startWorkshop(postgres: PostgresServer, env: Record<string, string> = {}): Promise<Service> {
    const service = await Service.launch({ REDIS_PORT: "1", ...postgres.env, ...env });
    return service.#when("the workshop", async () => (await service.get("/api/customers?limit=1")).status === 200);
  }

  /** Waits for a condition; a service that does not reach it leaves no process, and its output is in the error. */
  async #when(condition: string, ask: () => boolean | Promise<boolean>): Promise<this> {
    try {
      await until(condition, ask);
      return this;
    } catch (error) {
      await this.kill();
      throw new Error(`${error instanceof Error ? error.message : error}; it printed:\n${this.output}`, {
        cause: error,
      });
    }
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(this.url + path, init);
  }

  /** Visits the page; gives the answer with the ms until its body was read. */
  async visit(): Promise<TimedVisit> {
    const started = performance.now();
    const response = await this.get("/");
    const body = (await response.json()) as Record<string, unknown>;
    return { status: response.status, ms: performance.now() - started, response, body };
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  send(message: string): void {
    this.#child.send(message);
  }

  /** The log lines so far. */
  log(): Record<string, unknown>[] {
    return this.output
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line));
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.exit;
  }
}
