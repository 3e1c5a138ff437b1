import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { COUNT_LIBRARY } from "../../app/src/visits/function.ts";
import { located } from "../lib/programs.ts";
import { freePort } from "./port.ts";
import { until } from "./until.ts";

/** All that the service may do in Redis; the ACL of the hosts must allow exactly this. */
const SERVICE_ACL =
  "resetkeys ~total_visits ~v:* ~workshop:lists resetchannels -@all +fcall +time +get +set +hmget +hset +expire +ping +info +hello";
export const SERVICE_LOGIN = { REDIS_USERNAME: "halo", REDIS_PASSWORD: "integration-secret" };

/** A Redis of the caller's own, with the durability of the real one and the service's user. */
export class RedisServer {
  readonly port: number;
  readonly #dir: string;
  #process: ChildProcess | undefined;

  private constructor(port: number, dir: string) {
    this.port = port;
    this.#dir = dir;
  }

  /** Prepares a server without starting it. */
  static async prepare(): Promise<RedisServer> {
    const dir = await mkdtemp(join(tmpdir(), "halo-redis-"));
    const users = [
      // Off means that nobody can log in as it. It needs its permissions all the same: Redis replays the append-only file
      // as this user, and drops every transaction in it (a script is one) that it may not run.
      "user default off ~* &* +@all",
      "user tester on >tester ~* &* +@all",
      `user halo on >${SERVICE_LOGIN.REDIS_PASSWORD} ${SERVICE_ACL}`,
    ];
    await writeFile(join(dir, "users.acl"), `${users.join("\n")}\n`);
    return new RedisServer(await freePort(), dir);
  }

  /**
   * @param more options besides those of the hosts
   * @param load whether the function that counts is loaded when it runs, as the hosts' unit does
   */
  async start(more: Record<string, string | number> = {}, { load = true } = {}): Promise<void> {
    const options = {
      port: this.port,
      bind: "127.0.0.1",
      dir: this.#dir,
      aclfile: join(this.#dir, "users.acl"),
      appendonly: "yes",
      appendfsync: "always",
      save: "",
      ...more,
    };
    const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
    this.#process = spawn(located("redis-server"), args, { argv0: "redis-server", stdio: "ignore" });
    await until("Redis to answer", () => this.ask((redis) => redis.ping()));
    if (load) await this.load();
  }

  /** Gives it the function that counts, as `halo-redis-cli load-functions` does on the hosts. */
  async load(): Promise<void> {
    await this.ask((redis) => redis.call("FUNCTION", "LOAD", COUNT_LIBRARY)).catch((error) => {
      if (!/already exists/.test(`${error}`)) throw error;
    });
  }

  /** Sends a signal; resolves when the process is gone where the signal ends it. */
  async signal(name: NodeJS.Signals): Promise<void> {
    const server = this.#process;
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const gone = new Promise((resolve) => server.once("exit", resolve));
    server.kill(name);
    if (name === "SIGKILL" || name === "SIGTERM") await gone;
  }

  async destroy(): Promise<void> {
    await this.signal("SIGKILL");
    await rm(this.#dir, { recursive: true, force: true });
  }

  /** Runs one question as an administrator. */
  async ask<T>(question: (redis: Redis) => Promise<T>): Promise<T> {
    const redis = new Redis({
      port: this.port,
      username: "tester",
      password: "tester",
      lazyConnect: true,
      retryStrategy: () => null,
    });
    redis.on("error", () => {});
    try {
      await redis.connect();
      return await question(redis);
    } finally {
      redis.disconnect();
    }
  }

  /** What `total_visits` holds. */
  async total(): Promise<number> {
    return Number((await this.ask((redis) => redis.get("total_visits"))) ?? 0);
  }
}
