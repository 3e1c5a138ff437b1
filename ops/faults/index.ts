/** The causes that `npm run diagnose` names, each made on purpose: harmless to data, bounded, and put back by a script. */
import type { Undo } from "../cluster/failsafe.ts";
import { findHost } from "../cluster/hosts.ts";
import { maxmemory } from "../cluster/maxmemory.ts";
import { portOf } from "../cluster/ports.ts";
import type { Session } from "../cluster/session.ts";
import { backends, balancer, postgres, redis } from "../cluster/topology.ts";

/** A cause and how it is made; `npm run diagnose` has to name it and nothing else. */
export type Fault = {
  /** The name of the cause. */
  name: string;
  what: string;
  /** Ends with `undo`, which harms nothing where nothing is wrong; for what needs it, after these seconds by itself. */
  make: (session: Session, seconds: number) => Promise<unknown>;
  undo: Undo;
};

const [peer = ""] = backends;
const unit = "halo-fault"; // of what runs on a host
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
  make: (session) => session.on(peer, "systemctl stop halo"),
  undo: { on: [peer], script: "systemctl start halo" },
};

// Takes every session that becomes free, with the service's own name and password. Where there is none it asks seldom:
// each try is a process of the database's, and a hundred a second would be the fault "cpu" as well.
const hog = `import pg from "pg";
const take = async () => {
  for (;;) {
    const client = new pg.Client({ application_name: "${unit}" });
    client.on("error", () => {});
    const pause = await client.connect().then(() => 50, () => client.end().then(() => 500, () => 500));
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
};
for (let i = 0; i < 5; i++) take();`;

const connections: Fault = {
  name: "connections",
  what: "somebody takes every session that PostgreSQL has for the service",
  make: async (session, seconds) => {
    const properties = ["User=halo", "WorkingDirectory=/opt/halo/current", "EnvironmentFile=/etc/halo/halo.env"];
    await session.on(...start(peer, seconds, properties, `${node} --input-type=module --eval '${hog}'`));
    await session.on(
      postgres,
      `cd /
runuser -u postgres -- psql -qAtX halo <<'SQL'
DO $$ BEGIN
  FOR i IN 1..100 LOOP
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'halo' AND application_name <> '${unit}';
    PERFORM pg_sleep(0.1);
    PERFORM pg_stat_clear_snapshot();
    EXIT WHEN (SELECT count(*) FROM pg_stat_activity WHERE application_name = '${unit}') >=
      current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int - 8;
  END LOOP;
END $$;
SQL`,
    );
  },
  undo: { on: [peer], script: stopUnit },
};

/** Has a worker of the first backend evaluate something, by its inspector, which listens on its loopback meanwhile. */
const inspect = (expressions: string[], open = "") => `${open}
${node} --input-type=module - <<'JS'
let target;
for (let i = 0; i < 100 && !target; i++)
  try {
    [target] = await (await fetch("http://127.0.0.1:9229/json/list")).json();
  } catch {
    if (${open === ""}) process.exit(); // nobody listens: nothing is left
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
const socket = new WebSocket(target.webSocketDebuggerUrl);
await new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject }));
for (const [id, [method, params]] of ${JSON.stringify(
  expressions.map((each) => (each === gc ? [gc, {}] : ["Runtime.evaluate", { expression: each }])),
)}.entries()) {
  const answer = new Promise((resolve) => (socket.onmessage = ({ data }) => JSON.parse(data).id === id && resolve(data)));
  socket.send(JSON.stringify({ id, method, params }));
  if (/exceptionDetails|"error"/.test(await answer)) throw new Error(await answer);
}
process.exit();
JS`;
const gc = "HeapProfiler.collectGarbage";
const openInspector = "kill -USR1 $(pgrep -u halo -o -f app/src/main.ts)";

/** Does a piece of work in a worker again and again, until it is ended or its time is over; then the inspector is closed. */
const inside = (every: number, seconds: number, work: string) =>
  inspect(
    [
      `globalThis.haloFault ??= (() => {
  const over = Date.now() + ${seconds * 1000}, kept = [];
  const timer = setInterval(() => { if (Date.now() > over) return globalThis.haloFault.end(); ${work} }, ${every});
  return { end() {
    clearInterval(timer);
    kept.length = 0;
    delete globalThis.haloFault;
    setTimeout(() => process.getBuiltinModule("node:inspector").close(), 500);
  } };
})(); 0`,
    ],
    openInspector,
  );
const endInside = { on: [peer], script: inspect(["globalThis.haloFault?.end()", gc]) };

const starvation: Fault = {
  name: "starvation",
  what: "a worker computes for 0.4 s of each half second",
  make: (session, seconds) =>
    session.on(peer, inside(500, seconds, "for (const end = Date.now() + 400; Date.now() < end; );")),
  undo: endInside,
};

const leak: Fault = {
  name: "leak",
  what: "a worker keeps 4 MiB more each second, 200 MiB at most",
  make: (session, seconds) =>
    session.on(peer, inside(250, seconds, "if (kept.length < 200) kept.push(new Array(131072).fill(Math.random()));")),
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
        `psql -qX halo -c 'DO $$ BEGIN
  FOR i IN 1..${seconds * 2} LOOP
    LOCK TABLE workshop.customers IN ACCESS EXCLUSIVE MODE; PERFORM pg_sleep(0.4); COMMIT; PERFORM pg_sleep(0.1);
  END LOOP;
END $$'`,
      ),
    ),
  undo: { on: [postgres], script: stopUnit },
};

const folder = "/var/lib/redis";
const mode = "/run/halo-fault-mode";
const rewrite = (status: string) =>
  `halo-redis-cli bgrewriteaof
timeout 20 sh -c 'until halo-redis-cli info persistence | grep -q aof_last_bgrewrite_status:${status}; do sleep .1; done'`;

const persistence: Fault = {
  name: "redis-persistence",
  what: "Redis may not write into its folder; its append-only file goes on, a rewrite of it fails",
  make: (session) => session.on(redis, `stat -c %a ${folder} >${mode}\nchmod 0550 ${folder}\n${rewrite("err")}`),
  undo: {
    on: [redis],
    script: `if [ -e ${mode} ]; then chmod $(cat ${mode}) ${folder}; rm ${mode}; ${rewrite("ok")}; fi`,
  },
};

const verifier = "/run/halo-fault-verifier";
const superuser = "runuser -u postgres -- psql -qAtX -v ON_ERROR_STOP=1 halo";

const login: Fault = {
  name: "database-login",
  what: "somebody gives the service's role in PostgreSQL another password",
  make: (session) =>
    session.on(
      postgres,
      `cd /
umask 077
[ -s ${verifier} ] || ${superuser} -c "SELECT rolpassword FROM pg_authid WHERE rolname = 'halo'" >${verifier}
${superuser} <<'SQL'
ALTER ROLE halo PASSWORD 'another';
DO $$ BEGIN PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'halo'; END $$;
SQL`,
    ),
  // What PostgreSQL keeps of the password is a password to it as well.
  undo: {
    on: [postgres],
    script: `cd /
if [ -s ${verifier} ]; then
  VERIFIER=$(cat ${verifier}) ${superuser} <<'SQL'
\\getenv verifier VERIFIER
ALTER ROLE halo PASSWORD :'verifier';
SQL
  rm ${verifier}
fi`,
  },
};

const replica: Fault = {
  name: "redis-replica",
  what: "Redis is made a replica of nobody: it keeps its data and refuses writes",
  make: (session) => session.on(redis, "halo-redis-cli replicaof 127.0.0.1 1"),
  undo: { on: [redis], script: "halo-redis-cli replicaof no one" },
};

const memory: Fault = {
  name: "redis-memory",
  what: "Redis' maxmemory is reached",
  make: (session) => session.on(redis, `${maxmemory.keep}\n${maxmemory.reach}`),
  undo: { on: [redis], script: maxmemory.restore },
};

const before = "/run/halo-fault-aof";

const data: Fault = {
  name: "redis-data",
  what: "12 NUL bytes are at the end of Redis' append-only file: it cannot start",
  make: (session) =>
    session.on(
      redis,
      `systemctl stop redis-server
cd ${folder}/appendonlydir
file=$(sed -n 's/^file \\(.*\\) seq [0-9]* type i.*/\\1/p' appendonly.aof.manifest | tail -n 1)
size=$(stat -c %s "$file")
echo "$size $file" >${before}
head -c 12 /dev/zero >>$file
systemctl start --no-block redis-server`,
    ),
  undo: {
    on: [redis],
    script: `if [ -e ${before} ]; then
  systemctl stop redis-server
  read -r size file <${before}
  truncate -s $size ${folder}/appendonlydir/$file
  rm ${before}
fi
systemctl start redis-server`,
  },
};

const small = "/var/lib/halo-fault";

const disk: Fault = {
  name: "disk",
  what: "a small file system of the balancer's is 95 % full",
  make: (session) =>
    session.on(
      balancer,
      `install -d ${small}\nmount -t tmpfs -o size=16m,mode=0700 halo-fault ${small}\nhead -c 15564k /dev/zero >${small}/fill`,
    ),
  undo: { on: [balancer], script: `if mountpoint -q ${small}; then umount ${small}; fi\nrm -rf ${small}` },
};

const cpu: Fault = {
  name: "cpu",
  what: "a backend's service gets a twentieth of a CPU, or shares one with 24 others where there are no quotas",
  make: (session, seconds) =>
    session.on(
      peer,
      `if grep -qw cpu /sys/fs/cgroup/cgroup.controllers; then
  systemctl set-property --runtime halo.service CPUQuota=5%
else
  runuser -u halo -- taskset -acp 0 $(pgrep -u halo -o -f app/src/main.ts) >/dev/null
  ${start(peer, seconds, ["CPUAffinity=0"], "bash -c 'for i in {1..24}; do setsid bash -c \"while :; do :; done\" & done; wait'")[1]}
fi`,
    ),
  undo: {
    on: [peer],
    script: `systemctl set-property --runtime halo.service CPUQuota=
rm -f /run/systemd/system.control/halo.service.d/50-CPUQuota.conf
systemctl daemon-reload
${stopUnit}
for worker in $(pgrep -u halo -f app/src/main.ts); do runuser -u halo -- taskset -acp 0-$(($(nproc --all) - 1)) $worker >/dev/null || true; done`,
  },
};

const config = "/etc/nginx/nginx.conf";
const kept = "/run/halo-fault-nginx.conf";
const server = `server ${findHost(peer).address}:${portOf("app")}`;

const uneven: Fault = {
  name: "uneven",
  what: "a backend has nine times the weight of another",
  make: (session) =>
    session.on(
      balancer,
      `cp --archive ${config} ${kept}\nsed -i 's/${server} max_fails=1/${server} weight=9 max_fails=1/' ${config}\nnginx -t -q\nsystemctl reload nginx`,
    ),
  undo: {
    on: [balancer],
    script: `if [ -e ${kept} ]; then cp --archive ${kept} ${config}; rm ${kept}; nginx -t -q; systemctl reload nginx; fi`,
  },
};

const timeouts: Fault = {
  name: "timeouts",
  what: "what a balancer sends to a backend's service is dropped on the way",
  make: (session) =>
    session.on(
      peer,
      `nft --file - <<'NFT'
table inet halo_drill {
  chain in { type filter hook input priority -300; policy accept; ip saddr ${findHost(balancer).address} tcp dport ${portOf("app")} drop; }
}
NFT`,
    ),
  undo: { on: [peer], script: "nft delete table inet halo_drill 2>/dev/null || true" },
};

/** Every fault, those that are over at once first. */
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
