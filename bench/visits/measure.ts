import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { findHost, viaLab } from "../../ops/cluster/hosts.ts";
import { hosts } from "../../ops/cluster/inventory.ts";
import { openSession } from "../../ops/cluster/session.ts";
import { counterApp, counterSite, loginOf, tlsPort, urlOf, wayTo } from "../../ops/cluster/sites.ts";
import { backends, balancer } from "../../ops/cluster/topology.ts";
import { UserError } from "../../ops/lib/cli.ts";
import { elapsed } from "../../ops/lib/exec.ts";
import { localPath } from "../../ops/lib/paths.ts";
import { shellScript } from "../../ops/lib/script.ts";
import { needWrk, wrkTo } from "../../ops/loadgen/wrk.ts";
import { median } from "../median.ts";

const app = counterApp();
const connections = 64; // enough to keep two cores busy; the measurements in docs/decisions used the same number
const warmUp = 15; // s; a JIT that has just begun serves a third less
/**
 * The servers beside the service, each with a port that the app does not use meanwhile (a candidate's; that of a Redis of its own), and
 * Node's options.
 */
const beside = {
  bare: { port: app.port + 1, options: [] },
  // The service's own: its settings file, and ecosystem.config.cjs' young generation.
  fastify: {
    port: app.port + 9,
    options: [`--env-file=${app.settings}`, "--min-semi-space-size=16", "--max-semi-space-size=32"],
  },
};
type Beside = keyof typeof beside;
type Side = "halo" | Beside;
const names = Object.keys(beside) as Beside[];
/** In the order in which they take turns. */
const sides: Side[] = [...names, "halo"];
type Round = { rate: number; p50: number; p99: number; cpu: Record<string, number> };

const all = hosts();
const counter = counterSite();
const { address } = findHost(balancer);
const { authorization } = loginOf(counter);
const headers = authorization ? ["-H", `Authorization: ${authorization}`] : [];
const servicePort = app.port;

const interrupted = new AbortController();
// Not the interruption's signal: a run that has begun is undone to its end.
const session = () => openSession(console.log, AbortSignal.timeout(120_000));
const on = async (host: string, script: string) => (await session().on(host, script)).output;

/** Runs a script on every backend, to its end on each; then throws the first one's failure. */
async function onEach(script: (name: string) => string): Promise<void> {
  const ends = await Promise.allSettled(backends.map((name) => on(name, script(name))));
  for (const end of ends) if (end.status === "rejected") throw end.reason;
}

const side = (action: "start" | "add" | "redirect" | "halo" | "undo", ...args: (string | number)[]) =>
  shellScript(new URL("side.sh", import.meta.url), action, ...args);

/** A server's program with its packages, as one text. */
async function programOf(name: Beside): Promise<string> {
  const entry = fileURLToPath(new URL(`${name}.ts`, import.meta.url));
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    platform: "node",
    minify: true,
    charset: "ascii",
    write: false,
  });
  return outputFiles[0]?.text ?? "";
}

/**
 * Starts the other servers beside the service, which stays up too: all keep their compiled code. When nobody has
 * asked for the next side for these seconds, which a load may take, and two minutes, the hosts undo everything.
 */
async function startBeside(seconds: number): Promise<void> {
  await onEach(() => side("start", seconds + 120));
  for (const name of names) {
    const { port, options } = beside[name];
    const program = await programOf(name);
    await onEach((host) =>
      side("add", name, port, program, app.user, findHost(host).address, `${app.root}/current`, ...options),
    );
  }
}

async function stopBeside(): Promise<void> {
  await onEach(() => side("undo"));
  await waitForSide("halo");
}

/** Has the service's port on every backend answered by one of them, and waits until it is so. */
async function serve(one: Side): Promise<void> {
  await onEach(() => (one === "halo" ? side("halo") : side("redirect", servicePort, beside[one].port)));
  await waitForSide(one);
}

/** Waits until one of them answers. nginx is reloaded because the connections that it keeps would still go to another one. */
async function waitForSide(one: Side): Promise<void> {
  await on(balancer, "systemctl reload nginx");
  // Any certificate will do: only the answering side counts.
  const way = wayTo(counter).tls
    ? ["--insecure", "--resolve", `${counter.domain}:${tlsPort()}:${address}`]
    : ["-H", `Host: ${counter.domain}`];
  const visit = viaLab(["curl", "-s", ...way, ...headers, `${urlOf(counter, address)}/`]);
  const deadline = performance.now() + 60_000;
  for (let good = 0; good < 20; ) {
    if (performance.now() > deadline) throw new UserError(`${one} does not answer on every backend`, "npm run verify");
    const { output: body } = await session().must(visit);
    const answering = names.find((name) => body.includes(`"container_id":"${name}"`)) ?? "halo";
    good = body.includes('"total_visits":') && answering === one ? good + 1 : 0;
  }
}

const load = async (seconds: number) =>
  (
    await openSession(console.log, interrupted.signal).must(
      wrkTo(counter, address, connections, seconds, "--latency", ...headers),
    )
  ).output;

async function measure(seconds: number): Promise<Round> {
  const before = await cpu();
  const output = await load(seconds);
  const after = await cpu();
  const find = (pattern: RegExp) => pattern.exec(output)?.[1] ?? "";
  const failed = find(/Non-2xx or 3xx responses: (\d+)/) || find(/Socket errors: (.*)/);
  if (failed) throw new UserError(`requests failed under load: ${failed}`, "npm run verify");
  const requests = Number(find(/(\d+) requests in/));
  return {
    rate: Number(find(/Requests\/sec:\s+([\d.]+)/)),
    p50: milliseconds(find(/^\s+50%\s+(\S+)/m)),
    p99: milliseconds(find(/^\s+99%\s+(\S+)/m)),
    cpu: Object.fromEntries(
      Object.keys(after).map((unit) => [unit, ((after[unit] ?? 0) - (before[unit] ?? 0)) / requests]),
    ),
  };
}

function milliseconds(text: string): number {
  const [, value, unit] = text.match(/^([\d.]+)(us|ms|s)$/) ?? [];
  return Number(value) * ({ us: 0.001, ms: 1, s: 1000 }[unit ?? ""] ?? Number.NaN);
}

/** Microseconds of CPU that each unit has used, over all hosts. */
async function cpu(): Promise<Record<string, number>> {
  const used: Record<string, number> = {};
  const script = shellScript(new URL("cpu.sh", import.meta.url), app.unit);
  const texts = await Promise.all(all.map(({ name }) => on(name, script)));
  for (const line of texts.join("\n").split("\n")) {
    const [unit = "", microseconds] = line.split(" ");
    used[unit] = (used[unit] ?? 0) + Number(microseconds);
  }
  return used;
}

/** MiB that PM2 and its workers hold on the first backend (PSS: shared pages are counted once). */
async function memory(): Promise<number> {
  const text = await on(
    backends[0] ?? "",
    `cat $(pgrep -u ${app.user} | sed 's#.*#/proc/&/smaps_rollup#') | awk '/^Pss:/ { sum += $2 } END { print sum / 1024 }'`,
  );
  return Number(text);
}

async function redisRate(): Promise<number> {
  const text = await on(balancer, shellScript(new URL("redis-rate.sh", import.meta.url), connections));
  return Number(text.split(",")[1]?.replaceAll('"', ""));
}

function table(
  rounds: Record<Side, Round[]>,
  redis: number,
  { idle, loaded }: { idle: number; loaded: number },
): string {
  const of = (one: Side, value: (round: Round) => number) => median(rounds[one].map(value));
  const row = (one: Side, name: string) =>
    [
      name,
      of(one, (r) => r.rate).toFixed(0),
      of(one, (r) => r.p50).toFixed(2),
      of(one, (r) => r.p99).toFixed(1),
      ...["nginx", "redis-server", one === "halo" ? app.unit : `halo-${one}`, "systemd-journald"].map((unit) =>
        of(one, (r) => r.cpu[unit] ?? 0).toFixed(1),
      ),
    ].join(" | ");
  const paired = (one: Side, value: (round: Round) => number) =>
    median(rounds[one].map((round, i) => value(round) / value(rounds.bare[i] ?? round))).toFixed(2);
  const ratios = (one: Side) => `requests/s ${paired(one, (r) => r.rate)}, p99 ${paired(one, (r) => r.p99)}`;
  return `| | requests/s | p50 ms | p99 ms | nginx µs/request | Redis µs/request | service µs/request | journald µs/request |
|---|${"---:|".repeat(7)}
| ${row("halo", "GET / of Halo")} |
| ${row("fastify", "the same by Fastify")} |
| ${row("bare", "bare node:http")} |

Medians of ${rounds.halo.length} alternating rounds, ${connections} connections. Ratios to the bare server, round by round: Halo ${ratios("halo")}; Fastify ${ratios("fastify")}.
redis-benchmark INCR on the balancer: ${redis.toFixed(0)}/s; GET / of Halo is ${(of("halo", (r) => r.rate) / redis).toFixed(3)} of it.
PM2 and its worker on one backend: ${idle.toFixed(0)} MiB before the load, ${loaded.toFixed(0)} MiB after it.
`;
}

/** Runs the command with its arguments; gives its exit status. */
export async function measureVisits(args: string[]) {
  const { values } = parseArgs({
    args,
    options: { rounds: { type: "string", default: "8" }, seconds: { type: "string", default: "5" } },
  });
  const [count, seconds] = [Number(values.rounds), Number(values.seconds)];
  if (!(count >= 1 && seconds >= 1))
    throw new UserError("--rounds and --seconds are numbers from 1 on", "npm run bench -- --help");
  await needWrk();
  const rounds: Record<Side, Round[]> = { halo: [], bare: [], fastify: [] };
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.on(signal, () => interrupted.abort(new UserError("interrupted; everything was put back", "run it again")));
  const idle = await memory();
  try {
    await startBeside(Math.max(warmUp, seconds));
    for (const one of sides) {
      await serve(one);
      await load(warmUp);
    }
    for (let i = 1; i <= count; i++)
      for (const one of sides) {
        await serve(one);
        const round = await measure(seconds);
        rounds[one].push(round);
        console.log(
          `${elapsed()}: round ${i}, ${one}: ${Math.round(round.rate)} requests/s, p99 ${round.p99.toFixed(1)} ms`,
        );
      }
  } catch (error) {
    throw interrupted.signal.reason ?? error;
  } finally {
    await stopBeside();
  }
  const redis = await redisRate();
  const report = table(rounds, redis, { idle, loaded: await memory() });
  mkdirSync(localPath("reports"), { recursive: true });
  writeFileSync(localPath("reports", "bench.json"), JSON.stringify({ rounds, redis }, null, 2));
  writeFileSync(localPath("reports", "bench.md"), report);
  console.log(`\n${report}\nAlso in .halo/reports/bench.md and bench.json.`);
}
