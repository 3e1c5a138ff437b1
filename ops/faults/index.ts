/** The causes that `npm run diagnose` names, each made on purpose: harmless to data, bounded, and put back by a script. */
import type { Undo } from "../cluster/failsafe.ts";
import { findHost } from "../cluster/hosts.ts";
import { maxmemory } from "../cluster/maxmemory.ts";
import type { Session } from "../cluster/session.ts";
import { counterApp } from "../cluster/sites.ts";
import { backends, balancer, postgres, redis } from "../cluster/topology.ts";
import { inputScript, quote, shellScript, textOf } from "../lib/script.ts";

/** A cause and how it is made; `npm run diagnose` has to name it and nothing else. */
export type Fault = {
  /** The name of the cause. */
  name: string;
  what: string;
  /** Ends with `undo`, which harms nothing where nothing is wrong; for a fault that needs it, after these seconds by itself. */
  make: (session: Session, seconds: number) => Promise<unknown>;
  undo: Undo;
};

const [backend = ""] = backends;
const app = counterApp();
const unit = "halo-fault"; // of the fault's process on a host
const node = "/opt/halo/runtime/current/bin/node";
const stopUnit = `systemctl stop ${unit}.service 2>/dev/null || true`;

/** Starts a process on a host that lasts for these seconds at most. */
const start = (host: string, seconds: number, properties: string[], command: string) => {
  const line = properties.map((each) => `--property=${each}`).join(" ");
  return [
    host,
    `systemd-run --quiet --collect --expand-environment=no --unit=${unit} --property=RuntimeMaxSec=${seconds} ${line} ${command}`,
  ] as const;
};

const down: Fault = {
  name: "backend-down",
  what: "a backend's service is stopped",
  make: (session) => session.on(backend, `systemctl stop ${app.unit}`),
  undo: { on: [backend], script: `systemctl start ${app.unit}` },
};

/** The shell line that runs a program of this folder on a host's Node, as text on its command line. */
const nodeProgram = (name: string) =>
  `${node} --input-type=module-typescript --eval ${quote(textOf(new URL(name, import.meta.url)))}`;

const connections: Fault = {
  name: "connections",
  what: "somebody takes every session that PostgreSQL has for the service",
  make: async (session, seconds) => {
    const properties = [`User=${app.user}`, `WorkingDirectory=${app.root}/current`, `EnvironmentFile=${app.settings}`];
    await session.on(...start(backend, seconds, properties, nodeProgram("exhaustConnections.ts")));
    await session.on(
      postgres,
      `cd /; runuser -u postgres -- psql -qAtX halo -c ${quote(textOf(new URL("exhaust_connections.sql", import.meta.url)))}`,
    );
  },
  undo: { on: [backend], script: stopUnit },
};

/** Begins or ends a fault inside a worker of the first backend; inspector.ts has the actions. */
const inspector = (action: "starve" | "leak" | "end", seconds = 0) =>
  inputScript(`${node} --input-type=module-typescript`, new URL("inspector.ts", import.meta.url), action, seconds);
const openInspector = `kill -USR1 $(pgrep -o ${app.workers})`;
const endInside = { on: [backend], script: inspector("end") };

const starvation: Fault = {
  name: "starvation",
  what: "a worker computes for 0.4 s of each half second",
  make: (session, seconds) => session.on(backend, `${openInspector}\n${inspector("starve", seconds)}`),
  undo: endInside,
};

const leak: Fault = {
  name: "leak",
  what: "a worker keeps 4 MiB more each second, 200 MiB at most",
  make: (session, seconds) => session.on(backend, `${openInspector}\n${inspector("leak", seconds)}`),
  undo: endInside,
};

const slow: Fault = {
  name: "slow-queries",
  what: "a session locks the table of customers for 0.4 s of each half second",
  make: (session, seconds) =>
    session.on(
      ...start(
        postgres,
        seconds,
        // Without the check the server would go on for nobody.
        [
          "User=postgres",
          "WorkingDirectory=/",
          `Environment=PGAPPNAME=${unit}`,
          "Environment=PGOPTIONS=-cclient_connection_check_interval=500",
        ],
        `psql -qX halo -c 'SET halo.seconds = ${seconds}' -c ${quote(textOf(new URL("lock_customers.sql", import.meta.url)))}`,
      ),
    ),
  undo: { on: [postgres], script: stopUnit },
};

const script = (name: string, ...args: (string | number)[]) => shellScript(new URL(name, import.meta.url), ...args);

const persistence: Fault = {
  name: "redis-persistence",
  what: "Redis may not write into its folder; its append-only file goes on, a rewrite of it fails",
  make: (session) => session.on(redis, script("redis-persistence.sh", "start")),
  undo: { on: [redis], script: script("redis-persistence.sh", "undo") },
};

const login: Fault = {
  name: "database-login",
  what: "somebody gives the service's role in PostgreSQL another password",
  make: (session) => session.on(postgres, script("database-login.sh", "start")),
  undo: { on: [postgres], script: script("database-login.sh", "undo") },
};

const replica: Fault = {
  name: "redis-replica",
  what: "Redis is made a replica of a server that does not exist: it keeps its data and refuses writes",
  make: (session) => session.on(redis, "halo-redis-cli replicaof 127.0.0.1 1"),
  undo: { on: [redis], script: "halo-redis-cli replicaof no one" },
};

const memory: Fault = {
  name: "redis-memory",
  what: "Redis' maxmemory is reached",
  make: (session) => session.on(redis, `${maxmemory.keep}\n${maxmemory.reach}`),
  undo: { on: [redis], script: maxmemory.restore },
};

const data: Fault = {
  name: "redis-data",
  what: "12 NUL bytes are at the end of Redis' append-only file: it cannot start",
  make: (session) => session.on(redis, script("redis-data.sh", "start")),
  undo: { on: [redis], script: script("redis-data.sh", "undo") },
};

const disk: Fault = {
  name: "disk",
  what: "a small file system of the balancer's is 95 % full",
  make: (session) => session.on(balancer, script("disk.sh", "start")),
  undo: { on: [balancer], script: script("disk.sh", "undo") },
};

const cpu: Fault = {
  name: "cpu",
  what: "a backend's service gets a twentieth of a CPU, or shares one with 24 others where there are no quotas",
  make: (session, seconds) => session.on(backend, script("cpu.sh", "start", app.name, seconds)),
  undo: { on: [backend], script: script("cpu.sh", "undo", app.name) },
};

const uneven: Fault = {
  name: "uneven",
  what: "a backend has nine times the weight of another",
  make: (session) => session.on(balancer, script("weight.sh", "start", `${findHost(backend).address}:${app.port}`)),
  undo: { on: [balancer], script: script("weight.sh", "undo") },
};

const timeouts: Fault = {
  name: "timeouts",
  what: "a balancer's packets to a backend's service are dropped on the way",
  make: (session) => session.on(backend, script("drop-requests.sh", findHost(balancer).address, app.port)),
  undo: { on: [backend], script: "nft delete table inet halo_drill 2>/dev/null || true" },
};

/** Every fault; the ones that are over at once come first. */
export const faults: Fault[] = [
  down,
  persistence,
  login,
  replica,
  memory,
  data,
  disk,
  uneven,
  connections,
  slow,
  starvation,
  cpu,
  timeouts,
  leak,
];
