import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, watch } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { UserError } from "../lib/cli.ts";
import { root } from "../lib/paths.ts";
import { lacking } from "../lib/programs.ts";
import { freePort } from "../loopback/port.ts";
import { PostgresServer } from "../loopback/postgres.ts";
import { RedisServer, SERVICE_LOGIN } from "../loopback/redis.ts";
import { buildWeb } from "../web/build.ts";
import { listen } from "./front.ts";

/** Runs the command with its arguments; gives its exit status. */
export async function dev(args: string[]) {
  const { values } = parseArgs({ args, options: { port: { type: "string", default: "3000" } } });
  const port = Number(values.port);
  if (!(Number.isInteger(port) && port >= 1 && port <= 65_534))
    throw new UserError(`--port ${values.port} is not possible`, "a whole number from 1 to 65534");
  const lack = lacking("npm run dev", ["redis-server", "postgres"]);
  if (lack) throw lack;
  let over = false;
  const ended = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
      process.on(signal, () => {
        over = true;
        resolve();
      });
  });
  const undo: (() => unknown)[] = [];
  try {
    await start(port, undo);
    await ended;
  } catch (error) {
    if (!over) throw error; // Ctrl-C has ended the servers as well, while they were starting
  } finally {
    for (const each of undo.reverse()) await each();
  }
}

/** Starts everything; each thing that is started puts its end into `undo`. */
async function start(port: number, undo: (() => unknown)[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "halo-dev-"));
  undo.push(() => rmSync(folder, { recursive: true, force: true }));
  chmodSync(folder, 0o711); // PostgreSQL may run as another user
  process.env.TMPDIR = folder;

  const web = join(folder, "web");
  const build = () => buildWeb(root, join(root, "app/web"), web);
  await build();
  let changed: NodeJS.Timeout | undefined;
  const watcher = watch(join(root, "app/web"), { recursive: true }, () => {
    clearTimeout(changed);
    // An editor writes a file in several steps.
    changed = setTimeout(() => build().catch((error) => console.error(`halo: ${error.message}`)), 100);
  });
  undo.push(() => {
    watcher.close();
    clearTimeout(changed);
  });

  const internal = await freePort();
  const counter = join(web, "counter");
  const sites = [
    [
      { path: "/assets/", folder: counter },
      { path: "/favicon.ico", folder: counter },
    ],
    [{ path: "/api/" }, { path: "/", folder: join(web, "workshop") }],
  ];
  for (const [i, routes] of sites.entries()) {
    const front = await listen(port + i, internal, routes);
    undo.push(() => {
      front.close();
      front.closeAllConnections();
    });
  }

  const redis = await RedisServer.prepare();
  undo.push(() => redis.destroy());
  const [counting, database] = await Promise.allSettled([redis.start(), PostgresServer.create()]);
  if (database.status === "fulfilled") undo.push(() => database.value.destroy());
  if (counting.status === "rejected") throw counting.reason;
  if (database.status === "rejected") throw database.reason;

  const service = spawn(process.execPath, ["--watch", "--watch-preserve-output", join(root, "app/src/main.ts")], {
    cwd: root,
    env: {
      ...process.env,
      HALO_NAME: "dev",
      HALO_PORT: String(internal),
      REDIS_PORT: String(redis.port),
      ...SERVICE_LOGIN,
      ...database.value.env,
      LAME_DUCK_MS: "0", // nobody waits for a balancer here
    },
    stdio: ["ignore", "inherit", "inherit"],
  });
  const gone = new Promise((resolve) => service.once("exit", resolve));
  undo.push(() => {
    service.kill("SIGTERM");
    return gone;
  });
  console.log(`
  Counter:    http://localhost:${port}/
  Workshop:   http://localhost:${port + 1}/  (its API: http://localhost:${port + 1}/api/)
  PostgreSQL: psql -h 127.0.0.1 -p ${database.value.port} -U tester halo
  End:        Ctrl-C
`);
}
