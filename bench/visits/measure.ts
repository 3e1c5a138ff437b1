import { mkdirSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { findHost, viaLab } from "../../ops/cluster/hosts.ts";
import { hosts } from "../../ops/cluster/inventory.ts";
import { openSession } from "../../ops/cluster/session.ts";
import { counterApp, counterSite, urlOf } from "../../ops/cluster/sites.ts";
import { backends, balancer } from "../../ops/cluster/topology.ts";
import { UserError } from "../../ops/lib/cli.ts";
import { elapsed } from "../../ops/lib/exec.ts";
import { localPath } from "../../ops/lib/paths.ts";
import { shellScript, textOf } from "../../ops/lib/script.ts";
import { needWrk, wrk } from "../../ops/loadgen/wrk.ts";
import { median } from "../median.ts";

const app = counterApp();
const barePort = app.port + 1; // a candidate's; none is started meanwhile
const connections = 64; // enough to keep two cores busy; the measurements in docs/decisions used the same number
const warmUp = 15; // s; a JIT that has just begun serves a third less
type Side = "halo" | "bare";
type Round = { rate: number; p50: number; p99: number; cpu: Record<string, number> };

const all = hosts();
const counter = counterSite();
const url = `${urlOf(counter, findHost(balancer).address)}/`;
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

const side = (action: Side | "start" | "undo", ...args: (string | number)[]) =>
  shellScript(new URL("side.sh", import.meta.url), action, ...args);

/**
 * Starts the bare server beside the service, which stays up too: both keep their compiled code. When nobody has
 * asked for the next side for these seconds, which a load may take, and two minutes, the hosts undo everything.
 */
async function startBare(seconds: number): Promise<void> {
  const program = textOf(new URL("bare.ts", import.meta.url));
  await onEach((name) => side("start", seconds + 120, findHost(name).address, barePort, program, app.user));
}

async function stopBare(): Promise<void> {
  await onEach(() => side("undo"));
  await waitForSide("halo");
}

/** Has the service's port on every backend answered by one of the two, and waits until it is so. */
async function serve(one: Side): Promise<void> {
  await onEach(() => side(one, servicePort, barePort));
  await waitForSide(one);
}

/** Waits until one of the two answers. nginx is reloaded because the connections that it keeps would still go to the other one. */
async function waitForSide(side: Side): Promise<void> {
  await on(balancer, "systemctl reload nginx");
  const visit = viaLab(["curl", "-s", "-H", `Host: ${counter.domain}`, url]);
  const deadline = performance.now() + 60_000;
  for (let good = 0; good < 20; ) {
    if (performance.now() > deadline) throw new UserError(`${side} does not answer on every backend`, "npm run verify");
    const { output: body } = await session().must(visit);
    good = body.includes('"total_visits":') && body.includes('"bare"') === (side === "bare") ? good + 1 : 0;
  }
}

const load = async (seconds: number) =>
  (await openSession(console.log, interrupted.signal).must(wrk(connections, seconds, counter.domain, url, "--latency")))
    .output;

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
  const of = (side: Side, value: (round: Round) => number) => median(rounds[side].map(value));
  const units = [...new Set(Object.values(rounds).flatMap((each) => each.flatMap((round) => Object.keys(round.cpu))))];
  const row = (side: Side, name: string) =>
    [
      name,
      of(side, (r) => r.rate).toFixed(0),
      of(side, (r) => r.p50).toFixed(2),
      of(side, (r) => r.p99).toFixed(1),
      ...units.map((unit) => of(side, (r) => r.cpu[unit] ?? 0).toFixed(1)),
    ].join(" | ");
  const paired = (value: (round: Round) => number) =>
    median(rounds.halo.map((round, i) => value(round) / value(rounds.bare[i] ?? round)));
  return `| | requests/s | p50 ms | p99 ms | ${units.map((unit) => `${unit} µs/request`).join(" | ")} |
|---|${"---:|".repeat(3 + units.length)}
| ${row("halo", "GET / of Halo")} |
| ${row("bare", "bare node:http")} |

Medians of ${rounds.halo.length} alternating rounds, ${connections} connections; ratios round by round: requests/s ${paired((r) => r.rate).toFixed(2)}, p99 ${paired((r) => r.p99).toFixed(2)}.
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
  const seconds = Number(values.seconds);
  await needWrk();
  const rounds: Record<Side, Round[]> = { halo: [], bare: [] };
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.on(signal, () => interrupted.abort(new UserError("interrupted; everything was put back", "run it again")));
  const idle = await memory();
  try {
    await startBare(Math.max(warmUp, seconds));
    for (const side of ["bare", "halo"] as const) {
      await serve(side);
      await load(warmUp);
    }
    for (let i = 1; i <= Number(values.rounds); i++)
      for (const side of ["bare", "halo"] as const) {
        await serve(side);
        const round = await measure(seconds);
        rounds[side].push(round);
        console.log(
          `${elapsed()}: round ${i}, ${side}: ${Math.round(round.rate)} requests/s, p99 ${round.p99.toFixed(1)} ms`,
        );
      }
  } catch (error) {
    throw interrupted.signal.reason ?? error;
  } finally {
    await stopBare();
  }
  const redis = await redisRate();
  const report = table(rounds, redis, { idle, loaded: await memory() });
  mkdirSync(localPath("reports"), { recursive: true });
  writeFileSync(localPath("reports", "bench.json"), JSON.stringify({ rounds, redis }, null, 2));
  writeFileSync(localPath("reports", "bench.md"), report);
  console.log(`\n${report}\nAlso in .halo/reports/bench.md and bench.json.`);
}
