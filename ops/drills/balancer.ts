/** The balancer's own failures, and more load than everything can take. */

import { findHost } from "../cluster/hosts.ts";
import { pause } from "../cluster/session.ts";
import { counterSite, secureUrlOf, urlOf } from "../cluster/sites.ts";
import { backends, balancer, redis } from "../cluster/topology.ts";
import { now } from "../lib/clock.ts";
import { tryCapture } from "../lib/exec.ts";
import { shellScript } from "../lib/script.ts";
import { isVisit, isWritten, largest, p99, type Sample } from "../loadgen/sample.ts";
import { secureWrk, wrk } from "../loadgen/wrk.ts";
import { cutPower, processes, tail, untilAnswered, vagrant } from "./steps.ts";
import type { Drill, DrillSession, Outcome } from "./types.ts";

const seconds = (ms: number) => (ms / 1000).toFixed(1);

/** Whether a version, such as 1.26.3, is at least another. */
export const atLeast = (version: string, least: string): boolean =>
  version.localeCompare(least, "en", { numeric: true }) >= 0;

/** Judges whether a request may be lost at a reload: nginx before 1.27.4 (keepalive_min_timeout) resets a kept connection in use. */
export async function mayBeReset(session: DrillSession): Promise<(sample: Sample) => boolean> {
  const { output: version } = await session.on(balancer, "nginx -v 2>&1 | sed 's,.*/,,; s, .*,,'");
  return (sample) => !atLeast(version, "1.27.4") && !sample.fresh && sample.status === 0 && sample.reused;
}

export const reload: Drill = {
  name: "reload",
  what: "nginx reloads 20 times, then a wrong configuration is pushed",
  limit: 150,
  budget: {},
  fresh: true,
  run: async (session) => {
    const { output: version } = await session.on(balancer, "nginx -v 2>&1 | sed 's,.*/,,; s, .*,,'");
    const failedAt = now();
    await session.on(balancer, shellScript(new URL("reload-nginx.sh", import.meta.url)));
    session.say("nginx has reloaded 20 times");
    const sum = "sha256sum /etc/nginx/nginx.conf && nginx -t 2>&1 && systemctl show -P MainPID nginx";
    const before = await session.on(balancer, sum);
    const pushed = await session.ansible(
      ...["site.yml", "--limit", `${balancer},localhost`, "-e", "nginx_client_max_body_size=nonsense"],
    );
    const after = await session.on(balancer, sum);
    session.say(`a wrong configuration was pushed: exit status ${pushed.code}`);
    const broken = [];
    if (pushed.code === 0 || before.output !== after.output) broken.push("the wrong configuration was not refused");
    if (!pushed.output.includes('"client_max_body_size" directive invalid value'))
      broken.push(`no message names the problem of the wrong configuration\n${tail(pushed.output)}`);
    const lost = await mayBeReset(session);
    const resets = session.samples().filter((sample) => sample.error && lost(sample)).length;
    return {
      failedAt,
      overAt: now(),
      broken,
      mayLose: lost,
      notes: [`nginx ${version}: ${resets} resets on kept connections; half of the requests used new ones`],
    };
  },
};

/** A request in flight, or sent while nobody listened: from a moment on, for so many ms. */
const during = (from: number, ms: number) => (sample: Sample) =>
  sample.at < from + ms && sample.at + sample.ms >= from - 100;

export const nginx: Drill = {
  name: "nginx",
  what: "kill -9 of an nginx worker, then of the master",
  limit: 60,
  budget: {},
  run: async (session) => {
    const main = "main=$(systemctl show -P MainPID nginx)";
    const killed = await session.on(balancer, shellScript(new URL("kill-nginx-worker.sh", import.meta.url)));
    const first = { at: killed.at, back: (await untilAnswered(session, killed.at)) - killed.at };
    session.say("an nginx worker was killed");
    await pause(session, 2);
    const { at } = await session.on(balancer, "echo; systemctl kill -s KILL --kill-whom=main nginx");
    await session.on(balancer, `until ${main}; [ $main != 0 ] && pgrep -c -P $main >/dev/null; do sleep .02; done`);
    session.say("the nginx master was killed");
    const overAt = await untilAnswered(session, now());
    await pause(session, 2);
    // For a worker, the requests under way at that moment; for the master, the ones of two seconds.
    const ofWorker = during(first.at, 100);
    const ofMaster = during(at, 2000);
    const lost = session.samples().filter((sample) => !isVisit(sample));
    const refused = lost.filter(({ at: sent, ms }) => sent + ms >= at);
    const span = largest(refused.map(({ at: sent }) => sent - at));
    return {
      failedAt: killed.at,
      overAt,
      mayLose: (sample) => ofWorker(sample) || ofMaster(sample),
      notes: [
        `worker: ${lost.filter(ofWorker).length} in flight lost, next visit after ${seconds(first.back)} s`,
        `master: ${refused.length} lost (${refused.filter(({ error }) => error === "ECONNREFUSED").length} of them refused, as nobody listened) in ${seconds(span)} s`,
      ],
    };
  },
};

const clients = 20 * 64; // 64 connections keep two cores busy (npm run bench)

export const overload: Drill = {
  name: "overload",
  what: `${clients} connections ask as fast as they can for 20 s`,
  limit: 90,
  budget: { refusals: "anybody" },
  causes: {
    alerts: ["SiteSlow", "SiteErrors", "SiteErrorsCritical", "CpuHigh", "CpuSaturated"],
    hosts: [balancer, redis, ...backends, ""],
  },
  prepare: async (session) => {
    if (tryCapture(["sh", "-c", "command -v wrk"]) === null) await session.must(["ops/install-packages", "wrk"]);
  },
  run: async (session) => {
    const hosts = [...new Set([balancer, redis, ...backends])];
    const before = await processes(session, hosts);
    const counter = counterSite();
    const { address } = findHost(balancer);
    const secureUrl = session.secure || counter.redirect ? secureUrlOf(counter) : undefined;
    const failedAt = now();
    const { output } = await session.must(
      secureUrl
        ? secureWrk(clients, 20, address, `${secureUrl}/`, "--timeout", "10s")
        : wrk(clients, 20, counter.domain, `${urlOf(counter, address)}/`, "--timeout", "10s"),
    );
    const overAt = now();
    session.say(`the overload is over: ${output.match(/\d+ requests in/)?.[0]} 20 s`);
    await pause(session, 6);
    const after = await processes(session, hosts);
    return {
      failedAt,
      overAt,
      mayLose: ({ at, status }) => status === 0 && at >= failedAt && at < overAt,
      ...judgeOverload(session.samples(), failedAt, overAt, output, before === after ? "" : `${before}\n${after}`),
    };
  },
};

function judgeOverload(samples: Sample[], from: number, to: number, wrk: string, died: string): Partial<Outcome> {
  const number = (pattern: RegExp) => Number(pattern.exec(wrk)?.[1] ?? 0);
  const answers = number(/(\d+) requests in/);
  const errors = number(/Non-2xx or 3xx responses: (\d+)/);
  const sockets = /Socket errors: (.*)/.exec(wrk)?.[1] ?? "none";
  const cut = [...sockets.matchAll(/\d+/g)].reduce((sum, [each]) => sum + Number(each), 0);
  // Normal is twice the p99 of the quiet seconds before, and never less than 20 ms.
  const normal = Math.max(20, 2 * (p99(samples, 0, from) ?? 0));
  const second = [0, 1, 2, 3, 4].find((i) => (p99(samples, to + i * 1000, to + (i + 1) * 1000) ?? Infinity) <= normal);
  const broken = died ? [`a process did not live through it\n${died}`] : [];
  if (second === undefined) broken.push(`p99 was not under ${normal.toFixed(0)} ms within 5 s after it`);
  return {
    broken,
    notes: [
      `wrk: ${answers} answers, ${errors} of them not 200, socket errors: ${sockets}; p99 normal ${(second ?? 5) + 1} s after it`,
    ],
    others: { acknowledged: answers - errors, attempted: answers + cut + clients },
  };
}

export const powerOfBalancer: Drill = {
  name: "balancer",
  what: "power cut of the balancer, then vagrant up (VMs only)",
  limit: 240,
  budget: {},
  writes: true,
  providers: ["libvirt", "virtualbox"],
  run: async (session) => {
    const { at: failedAt } = await cutPower(session, balancer);
    session.say("the balancer has no power");
    await vagrant(session, "up", balancer);
    session.say("vagrant up has ended");
    const overAt = await untilAnswered(session, now());
    await Promise.all(backends.map((name) => untilAnswered(session, overAt, name)));
    const waiting = () => {
      const written = new Set(session.writes().flatMap((sample) => (isWritten(sample) ? [sample.key] : [])));
      return new Set(session.writes().flatMap(({ at, key }) => (at <= overAt && !written.has(key) ? [key] : []))).size;
    };
    session.say(`every backend answers, and ${waiting()} rows wait`);
    await session.until("each row that had to wait is written", () => waiting() === 0);
    return { failedAt, overAt, mayLose: (sample) => sample.at + sample.ms >= failedAt && sample.at < overAt };
  },
  restore: (session) => vagrant(session, "up", balancer),
};
