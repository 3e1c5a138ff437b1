/** The balancer's own failures, and more load than everything can take. */

import { findHost, reach } from "../lib/cluster.ts";
import { ask } from "../lib/process.ts";
import { domains } from "../lib/project.ts";
import type { Drill, Outcome } from "./drills.ts";
import { now, type Shot } from "./load.ts";
import { answered, backends, balancer, cutPower, processes, redis, steady, tail, vagrant } from "./scene.ts";
import { isVisit, isWritten, largest, p99 } from "./tally.ts";

const seconds = (ms: number) => (ms / 1000).toFixed(1);

/** Whether a version, such as 1.26.3, is at least another. */
export const atLeast = (version: string, least: string): boolean =>
  version.localeCompare(least, "en", { numeric: true }) >= 0;

export const reload: Drill = {
  name: "reload",
  what: "nginx reloads 20 times, then a wrong configuration is pushed",
  limit: 150,
  budget: {},
  fresh: true,
  run: async (scene) => {
    const { output: version } = await scene.on(balancer, "nginx -v 2>&1 | sed 's,.*/,,; s, .*,,'");
    const failedAt = now();
    await scene.on(
      balancer,
      `main=$(systemctl show -P MainPID nginx)
for i in $(seq 20); do
  old=$(pgrep -o -P $main)
  systemctl reload nginx
  until [ "$(pgrep -o -P $main)" != "$old" ]; do sleep .05; done
done`,
    );
    scene.say("nginx has reloaded 20 times");
    const sum = "sha256sum /etc/nginx/nginx.conf && nginx -t 2>&1 && systemctl show -P MainPID nginx";
    const before = await scene.on(balancer, sum);
    const pushed = await scene.ansible(
      ...["site.yml", "--limit", `${balancer},localhost`, "-e", "nginx_client_max_body_size=nonsense"],
    );
    const after = await scene.on(balancer, sum);
    scene.say(`a wrong configuration was pushed: exit status ${pushed.code}`);
    const broken = [];
    if (pushed.code === 0 || before.output !== after.output) broken.push("the wrong configuration was not refused");
    if (!pushed.output.includes('"client_max_body_size" directive invalid value'))
      broken.push(`nobody says what is wrong with it\n${tail(pushed.output)}`);
    const patient = atLeast(version, "1.27.4"); // keepalive_min_timeout
    const lost = (shot: Shot) => !patient && !shot.fresh && shot.status === 0 && shot.reused;
    const resets = scene.shots().filter((shot) => shot.error && lost(shot)).length;
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
const during = (from: number, ms: number) => (shot: Shot) => shot.at < from + ms && shot.at + shot.ms >= from - 100;

export const nginx: Drill = {
  name: "nginx",
  what: "kill -9 of an nginx worker, then of the master",
  limit: 60,
  budget: {},
  run: async (scene) => {
    const main = "main=$(systemctl show -P MainPID nginx)";
    const killed = await scene.on(
      balancer,
      `${main}\nworkers=$(pgrep -c -P $main)\nvictim=$(pgrep -n -P $main)\necho\nkill -KILL $victim
until [ "$(pgrep -c -P $main)" = $workers ] && ! pgrep -P $main | grep -qx $victim; do sleep .02; done`,
    );
    const first = { at: killed.at, back: (await answered(scene, killed.at)) - killed.at };
    scene.say("an nginx worker was killed");
    await steady(scene, 2);
    const { at } = await scene.on(balancer, "echo; systemctl kill -s KILL --kill-whom=main nginx");
    await scene.on(balancer, `until ${main}; [ $main != 0 ] && pgrep -c -P $main >/dev/null; do sleep .02; done`);
    scene.say("the nginx master was killed");
    const overAt = await answered(scene, now());
    await steady(scene, 2);
    // For a worker, what was under way at that moment; for the master, two seconds.
    const ofWorker = during(first.at, 100);
    const ofMaster = during(at, 2000);
    const lost = scene.shots().filter((shot) => !isVisit(shot));
    const refused = lost.filter(({ at: sent, ms }) => sent + ms >= at);
    const span = largest(refused.map(({ at: sent }) => sent - at));
    return {
      failedAt: killed.at,
      overAt,
      mayLose: (shot) => ofWorker(shot) || ofMaster(shot),
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
  prepare: async (scene) => {
    if (ask(["sh", "-c", "command -v wrk"]) === null) await scene.must(["ops/packages", "wrk"]);
  },
  run: async (scene) => {
    const hosts = [...new Set([balancer, redis, ...backends])];
    const before = await processes(scene, hosts);
    const [domain = ""] = domains();
    const url = `http://${findHost(balancer).address}/`;
    const failedAt = now();
    const { output } = await scene.must(
      reach(["wrk", "-t1", `-c${clients}`, "-d20s", "--timeout", "10s", "-H", `Host: ${domain}`, url]),
    );
    const overAt = now();
    scene.say(`the overload is over: ${output.match(/\d+ requests in/)?.[0]} 20 s`);
    await steady(scene, 6);
    const after = await processes(scene, hosts);
    return {
      failedAt,
      overAt,
      mayLose: ({ at, status }) => status === 0 && at >= failedAt && at < overAt,
      ...judgeOverload(scene.shots(), failedAt, overAt, output, before === after ? "" : `${before}\n${after}`),
    };
  },
};

function judgeOverload(shots: Shot[], from: number, to: number, wrk: string, died: string): Partial<Outcome> {
  const number = (pattern: RegExp) => Number(pattern.exec(wrk)?.[1] ?? 0);
  const answers = number(/(\d+) requests in/);
  const errors = number(/Non-2xx or 3xx responses: (\d+)/);
  const sockets = /Socket errors: (.*)/.exec(wrk)?.[1] ?? "none";
  const cut = [...sockets.matchAll(/\d+/g)].reduce((sum, [each]) => sum + Number(each), 0);
  // Normal is twice the p99 of the quiet seconds before, and never less than 20 ms.
  const normal = Math.max(20, 2 * (p99(shots, 0, from) ?? 0));
  const second = [0, 1, 2, 3, 4].find((i) => (p99(shots, to + i * 1000, to + (i + 1) * 1000) ?? Infinity) <= normal);
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
  limit: 120,
  budget: {},
  writes: true,
  providers: ["libvirt", "virtualbox"],
  run: async (scene) => {
    const { at: failedAt } = await cutPower(scene, balancer);
    await vagrant(scene, "up", balancer);
    const overAt = await answered(scene, now());
    await Promise.all(backends.map((name) => answered(scene, overAt, name)));
    await scene.until("each row that had to wait is written", () => {
      const written = new Set(scene.writes().flatMap((shot) => (isWritten(shot) ? [shot.key] : [])));
      return scene.writes().every(({ at, key }) => at > overAt || written.has(key));
    });
    return { failedAt, overAt, mayLose: (shot) => shot.at + shot.ms >= failedAt && shot.at < overAt };
  },
  restore: (scene) => vagrant(scene, "up", balancer),
};
