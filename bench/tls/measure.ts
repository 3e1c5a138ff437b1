import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { findHost, viaLab } from "../../ops/cluster/hosts.ts";
import { openSession } from "../../ops/cluster/session.ts";
import { counterApp, counterSite, wayTo } from "../../ops/cluster/sites.ts";
import { balancer } from "../../ops/cluster/topology.ts";
import { UserError } from "../../ops/lib/cli.ts";
import { elapsed, passThrough, step, tryCapture } from "../../ops/lib/exec.ts";
import { localPath } from "../../ops/lib/paths.ts";
import { shellScript } from "../../ops/lib/script.ts";
import { median } from "../median.ts";
import type { HandshakeOptions } from "./handshakes.ts";

const connections = 64; // as npm run bench
/** Handshakes of one thread in a round: each takes a port of this machine for a minute after its end, and 28,000 are free. */
const mostHandshakes = 2000;
const kinds = ["http", "https", "https, HTTP/2"] as const;
type Kind = (typeof kinds)[number];
/** Requests or handshakes a second, p99 in ms, and nginx's µs of CPU for each. */
type Round = { rate: number; p99: number; cpu: number };

const site = counterSite();
const { address } = findHost(balancer);
const session = () => openSession(console.log, AbortSignal.timeout(120_000));

/** Microseconds of CPU that nginx has used. */
async function cpuOfNginx(): Promise<number> {
  const { output } = await session().on(
    balancer,
    shellScript(new URL("../visits/cpu.sh", import.meta.url), counterApp().unit),
  );
  return Number(/^nginx (\d+)$/m.exec(output)?.[1]);
}

/** One load of h2load on kept connections. */
async function requests(kind: Kind, seconds: number): Promise<Round> {
  const { port } = wayTo(site, kind !== "http");
  const place = mkdtempSync(join(tmpdir(), "halo-bench-"));
  try {
    const before = await cpuOfNginx();
    const { output } = await session().must([
      ...["h2load", "--threads=1", `--clients=${connections}`, `--duration=${seconds}`, `--log-file=${place}/log`],
      ...(kind === "https, HTTP/2" ? [] : ["--h1"]),
      ...[`--connect-to=${address}:${port}`, `${kind === "http" ? "http" : "https"}://${site.domain}/`],
    ]);
    const used = (await cpuOfNginx()) - before;
    const [, good, others] = /status codes: (\d+) 2xx, (.*)$/m.exec(output) ?? [];
    if (!good || /[1-9]\d* [345]xx/.test(others ?? ""))
      throw new UserError(`requests failed under load: ${output}`, "npm run verify");
    const times = readFileSync(`${place}/log`, "utf8").trim().split("\n");
    const ms = times.map((line) => Number(line.split("\t")[2]) / 1000).sort((a, b) => a - b);
    return { rate: ms.length / seconds, p99: ms[Math.floor(ms.length * 0.99)] ?? Number.NaN, cpu: used / ms.length };
  } finally {
    rmSync(place, { recursive: true });
  }
}

/** Handshakes of two threads, one for each core of the smallest machine that this is measured on. */
async function handshakes(resume: boolean, seconds: number): Promise<Round> {
  const { port, tls } = wayTo(site, true);
  const workerData = {
    host: address,
    port,
    servername: site.domain,
    ...tls,
    resume,
    seconds,
    most: mostHandshakes,
  } satisfies HandshakeOptions;
  const before = await cpuOfNginx();
  const counts = await Promise.all(
    [0, 1].map(
      () =>
        new Promise<{ made: number; resumed: number; seconds: number }>((resolve, reject) => {
          const worker = new Worker(new URL("./handshakes.ts", import.meta.url), { workerData });
          worker.on("message", resolve);
          worker.on("error", reject);
        }),
    ),
  );
  const made = counts.reduce((all, count) => all + count.made, 0);
  const resumed = counts.reduce((all, count) => all + count.resumed, 0);
  if (resume ? resumed < 0.9 * made : resumed > 0)
    throw new UserError(
      `${resumed} of ${made} handshakes resumed a session`,
      "see ssl_session_cache in nginx/partials/tls.conf.j2",
    );
  const took = Math.max(...counts.map((count) => count.seconds));
  return { rate: made / took, p99: Number.NaN, cpu: ((await cpuOfNginx()) - before) / made };
}

/** Runs the command with its arguments. */
export async function measureTls(args: string[]) {
  const { values } = parseArgs({
    args,
    options: { rounds: { type: "string", default: "5" }, seconds: { type: "string", default: "4" } },
  });
  const [count, seconds] = [Number(values.rounds), Number(values.seconds)];
  if (!(count >= 1 && seconds >= 1))
    throw new UserError("--rounds and --seconds are numbers from 1 on", "npm run bench:tls -- --help");
  const here = [process.execPath, ...process.argv.slice(1)];
  const inside = viaLab(here);
  if (inside.length > here.length) return passThrough(inside); // the load has to come from where the hosts are
  wayTo(site, true); // names the site without a certificate before anything is installed
  if (tryCapture(["sh", "-c", "command -v h2load"]) === null)
    await step("Install h2load", "packages", ["ops/install-packages", "nghttp2-client"]);
  const rounds: Record<string, Round[]> = {};
  const add = (name: string, round: Round) => {
    rounds[name] = [...(rounds[name] ?? []), round];
    console.log(`${elapsed()}: ${name}: ${Math.round(round.rate)}/s`);
  };
  for (const kind of kinds) await requests(kind, seconds); // warms up
  for (let i = 0; i < count; i++) {
    for (const kind of kinds) add(kind, await requests(kind, seconds));
    for (const resume of [false, true])
      add(resume ? "resumed handshake" : "full handshake", await handshakes(resume, seconds));
  }
  const row = (name: string, all: Round[]) => {
    const of = (value: (round: Round) => number) => median(all.map(value));
    const p99 = of(({ p99 }) => p99);
    return `| ${name} | ${of(({ rate }) => rate).toFixed(0)} | ${Number.isNaN(p99) ? "" : p99.toFixed(1)} | ${of(({ cpu }) => cpu).toFixed(0)} |`;
  };
  const ratio = (name: Kind) =>
    median((rounds[name] ?? []).map(({ rate }, i) => rate / (rounds.http?.[i]?.rate ?? Number.NaN))).toFixed(2);
  const report = `| | each second | p99 ms | nginx µs each |
|---|---:|---:|---:|
${Object.entries(rounds)
  .map(([name, all]) => row(name, all))
  .join("\n")}

Medians of ${count} alternating rounds, ${connections} kept connections; requests/s against http round by round: https ${ratio("https")}, HTTP/2 ${ratio("https, HTTP/2")}.
The client makes the handshakes on the same cores: so both share their number.
`;
  mkdirSync(localPath("reports"), { recursive: true });
  writeFileSync(localPath("reports", "bench-tls.md"), report);
  console.log(`\n${report}\nAlso in .halo/reports/bench-tls.md.`);
  return 0;
}
