import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePair, freePort } from "../../../ops/loopback/port.ts";
import { RedisServer, SERVICE_LOGIN } from "../../../ops/loopback/redis.ts";
import { until } from "../../../ops/loopback/until.ts";
import { startLoad } from "./support/load.ts";
import { readMetrics } from "./support/metrics.ts";
import { NODE_ENVIRONMENT, ROOT } from "./support/service.ts";

const BIN = join(ROOT, "node_modules/.bin");

describe("under pm2-runtime", () => {
  let redis: RedisServer;
  let dir: string;
  let port: number;
  let metricsPort: number;
  let env: NodeJS.ProcessEnv;
  let runtime: ChildProcess;
  let exit: Promise<number | null>;
  let output = "";

  const writeEnv = (name: string) => {
    const ports = { HALO_PORT: port, HALO_METRICS_PORT: metricsPort, REDIS_PORT: redis.port };
    const app = { HALO_APP: "demo", HALO_START: "app/src/main.ts", HALO_WORKERS: 2 };
    const settings = { ...app, HALO_NAME: name, ...ports, ...SERVICE_LOGIN };
    const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}\n`);
    return writeFile(join(dir, "halo.env"), lines.join(""));
  };
  const pm2 = async (...args: string[]) => (await promisify(execFile)(join(BIN, "pm2"), args, { env })).stdout;
  const workers = async () => {
    const list = await pm2("jlist");
    return JSON.parse(list.slice(list.indexOf("["))) as { pid: number; pm2_env: { status: string } }[];
  };
  /** When each worker started, by its port for metrics: two ports of one worker would say the same. */
  const starts = () =>
    Promise.all(
      [0, 1].map(async (worker) => {
        const metrics = await readMetrics(`http://127.0.0.1:${metricsPort + worker}`);
        return metrics.get("process_start_time_seconds") ?? 0;
      }),
    );
  const answer = async () => (await fetch(`http://127.0.0.1:${port}/`)).json() as Promise<Record<string, unknown>>;

  beforeAll(async () => {
    redis = await RedisServer.prepare();
    await redis.start();
    port = await freePort();
    metricsPort = await freePair();
    dir = await mkdtemp(join(tmpdir(), "halo-pm2-"));
    await writeEnv("before");
    env = {
      ...NODE_ENVIRONMENT,
      PATH: `${BIN}:${process.env.PATH}`,
      HOME: dir,
      PM2_HOME: join(dir, "pm2"),
      HALO_ROOT: ROOT,
      HALO_ENV_FILE: join(dir, "halo.env"),
    };
    runtime = spawn(join(BIN, "pm2-runtime"), ["start", "ecosystem.config.cjs"], { cwd: ROOT, env });
    exit = new Promise((resolve) => runtime.once("close", resolve));
    for (const stream of [runtime.stdout, runtime.stderr]) {
      stream?.on("data", (chunk) => {
        output += chunk;
      });
    }
    await until("both workers", () => output.split('"msg":"listening"').length === 3, 30_000);
    await until("a visit", async () => (await answer()).database_status === "Terhubung");
  });

  afterAll(async () => {
    if (runtime?.exitCode === null) runtime.kill("SIGTERM");
    await exit;
    await redis?.destroy();
    await rm(dir, { recursive: true, force: true });
  });

  it("reads the environment file in the workers and keeps the password out of PM2", async () => {
    expect((await answer()).container_id).toBe("before");
    expect(await pm2("jlist")).not.toContain(SERVICE_LOGIN.REDIS_PASSWORD);
  });

  it("logs each request once, on the runtime's own stdout", async () => {
    const id = (await fetch(`http://127.0.0.1:${port}/`)).headers.get("x-request-id") as string;
    await until("the line", () => output.includes(id));
    // The list takes longer than a copy by way of the daemon would.
    await workers();
    expect(output.split(id)).toHaveLength(2);
  });

  it("reloads under load without losing a request, and the new workers have the new settings", async () => {
    const stop = startLoad([port]);
    await writeEnv("after");
    const old = (await workers()).map((worker) => worker.pid);
    await pm2("reload", "ecosystem.config.cjs");
    const { answers, failed } = await stop();
    expect(failed).toEqual([]);
    expect(answers.length).toBeGreaterThan(100);
    expect(answers.every((a) => a.status === 200)).toBe(true);
    expect((await answer()).container_id).toBe("after");
    for (const { pid } of await workers()) expect(old).not.toContain(pid);
  });

  it("serves each worker's metrics on its own port, before and after a reload", async () => {
    const before = await until("the ports after the reload above", starts);
    expect(new Set(before).size).toBe(2);
    await pm2("reload", "all");
    const since = Math.max(...before);
    const after = await until("the new workers' ports", async () => {
      const now = await starts();
      return now.every((start) => start > since) ? now : undefined;
    });
    expect(new Set(after).size).toBe(2);
  });

  it("replaces a worker that was killed", async () => {
    const [victim] = await workers();
    const listening = output.split('"msg":"listening"').length;
    process.kill(victim?.pid as number, "SIGKILL");
    await until("a new worker", () => output.split('"msg":"listening"').length > listening, 30_000);
    expect((await workers()).every((worker) => worker.pm2_env.status === "online")).toBe(true);
    expect(new Set(await until("its port for metrics", starts)).size).toBe(2);
  });

  it("ends with exit status 0 at SIGTERM", async () => {
    runtime.kill("SIGTERM");
    expect(await exit).toBe(0);
    expect(output).toContain('"msg":"stopped"');
  });
});

describe("without its settings file", () => {
  const load = (env: NodeJS.ProcessEnv) =>
    promisify(execFile)(process.execPath, ["-e", `require(${JSON.stringify(`${ROOT}ecosystem.config.cjs`)})`], {
      env: { ...process.env, ...env },
    });

  it("does not start, and names the missing file", async () => {
    await expect(load({ HALO_ENV_FILE: "/nonexistent/demo.env" })).rejects.toThrow(
      "/nonexistent/demo.env is not readable (ENOENT)",
    );
  });

  it("does not start without the name of an app, or of its program", async () => {
    await expect(load({ HALO_ENV_FILE: "" })).rejects.toThrow("HALO_ENV_FILE does not name its settings file");
    await expect(load({ HALO_ENV_FILE: "/dev/null" })).rejects.toThrow("/dev/null has no HALO_APP");
  });
});
