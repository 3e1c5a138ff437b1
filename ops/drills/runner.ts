import type { App } from "../cluster/apps.ts";
import { announce, armUndo, restoreCluster } from "../cluster/failsafe.ts";
import { findHost } from "../cluster/hosts.ts";
import { emulated } from "../cluster/provider.ts";
import { openSession, pause, type Session } from "../cluster/session.ts";
import { counterApp, counterSite, loginOf, type Site, siteFor, siteOfApp, wayTo } from "../cluster/sites.ts";
import { balancer, redis } from "../cluster/topology.ts";
import { UserError } from "../lib/cli.ts";
import { elapsed } from "../lib/exec.ts";
import { shellScript } from "../lib/script.ts";
import { type Load, startLoad } from "../loadgen/load.ts";
import { writesPath } from "../loadgen/options.ts";
import { drillRows, removeRows, rowsOf } from "../loadgen/rows.ts";
import { type Budget, describeWrites, judge, judgeWrites, type Observation, summarize } from "./budget.ts";
import { explain, type Row } from "./report.ts";
import type { Drill, DrillSession, Outcome } from "./types.ts";

const writesPerRead = 0.1; // a write costs a transaction
const handshakesPerRequest = 0.25; // one takes 3 ms of a CPU; 200 a second beside Ansible were more than two cores have
const log = "/var/log/nginx/access.log";
const at = (site: Site, secure: boolean) => ({
  host: findHost(balancer).address,
  domain: site.domain,
  ...wayTo(site, secure || site.redirect),
  ...loginOf(site),
});

/**
 * One drill from its preparation until everything is put back, whatever happens.
 *
 * @param app the counter's app, whose visits are counted, or another one: then the loads are GETs and POSTs of its health path
 * @param rate requests a second of each load
 * @param secure whether the loads go by https
 * @param slow how many times longer than a container these hosts may take
 * @param interrupted ends it early
 */
export async function runDrill(
  drill: Drill,
  app: App,
  rate: number,
  secure: boolean,
  slow: number,
  interrupted: AbortSignal,
): Promise<Row> {
  const counted = app.name === counterApp().name;
  const started = performance.now();
  const say = (text: string) => console.log(`  ${elapsed(started)}: ${text}`);
  const loads: Load[] = [];
  const samples = () => loads.flatMap((load) => load.samples);
  let writing: Load | undefined;
  const writes = () => writing?.samples ?? [];
  const limited = (seconds: number, ...others: AbortSignal[]): DrillSession => {
    const signal = AbortSignal.any([AbortSignal.timeout(seconds * slow * 1000), ...others]);
    return { ...openSession(say, signal), app, secure, samples, writes };
  };
  const session = limited(drill.limit, interrupted);
  const row: Row = { drill: drill.name, seconds: 0, broken: [], notes: [] };
  let seen: Observation | undefined;
  const silence = await announce(limited(30), "begin", drill, ...silenceOf(drill, slow));
  try {
    await armUndo(session, drill, slow);
    await drill.prepare?.(session);
    if (drill.writes) await removeRows(session, drillRows);
    const mark = await markLog(session);
    const before = counted ? await total(session) : undefined;
    if (counted)
      for (const fresh of drill.fresh ? [false, true] : [false])
        loads.push(
          startLoad({
            ...at(counterSite(), secure),
            fresh,
            rate: fresh && secure ? rate * handshakesPerRequest : rate,
          }),
        );
    else {
      const to = { ...at(siteOfApp(app), secure), path: app.health, agent: "halo-drill" };
      loads.push(startLoad({ ...to, rate }), startLoad({ ...to, rate: rate * writesPerRead, method: "POST" }));
    }
    if (drill.writes) {
      const prefix = `${drillRows}-${Date.now().toString(36)}`;
      const lastSeconds = slow > 1 ? LAST_SECONDS_ON_VMS : undefined;
      const options = { rate: rate * writesPerRead, writes: prefix, ...(lastSeconds && { lastSeconds }) };
      writing = startLoad({ ...at(siteFor(writesPath), secure), ...options });
    }
    await pause(session, 3);
    say(`${samples().length} requests so far; now the failure`);
    const outcome = await drill.run(session);
    await pause(session, 3);
    await Promise.all([...loads, writing].map((load) => load?.stop()));
    seen = await see(session, outcome, mark, before, samples());
    row.tally = summarize(seen);
    const budget = budgetFor(drill);
    row.broken = [...judge(budget, seen, row.tally), ...(outcome.broken ?? [])];
    row.notes = outcome.notes ?? [];
    if (drill.writes) {
      const written = {
        writes: writes(),
        rows: await rowsOf(session, drillRows),
        away: outcome.away ?? [],
        mayLose: outcome.mayLose,
      };
      row.broken.push(...judgeWrites(written, emulated()));
      row.notes.push(describeWrites(written));
    }
    if (row.tally.late > 50) row.notes.push(`requests were sent up to ${row.tally.late.toFixed(0)} ms late`);
  } catch (error) {
    row.broken.push(error instanceof UserError ? error.message : `it could not be done: ${error}`);
  }
  const report = (error: unknown) => say(error instanceof Error ? error.message : `${error}`);
  await Promise.all([...loads, writing].map((load) => load?.stop())).catch(report);
  if (row.broken.length > 0) await explain(limited(60), app, row.broken, samples(), seen).catch(report);
  try {
    // A restore of the drill's own may be as long as its run.
    await restoreCluster(limited(drill.restore ? Math.max(120, drill.limit) : 120), drill);
    if (drill.writes) await removeRows(limited(60), drillRows);
  } catch (error) {
    row.broken.push(`not everything could be put back: ${error instanceof Error ? error.message : error}`);
  }
  await announce(limited(30), "end", drill, silence);
  row.seconds = Math.round((performance.now() - started) / 1000);
  return row;
}

/**
 * The writes of an outage that still wait at a drill's end are sent again for this long. An emulated PostgreSQL, whose first statements
 * after a start take longer than the service waits, has left 24 of 56 unwritten after the 10 s that a container gets.
 */
const LAST_SECONDS_ON_VMS = 120;

/**
 * A drill's budget. Where CPUs are emulated a request may take five times as long, and the service's own second for Redis can run
 * out: its 503 is counted, not judged.
 */
const budgetFor = ({ budget }: Drill): Budget =>
  emulated()
    ? { refusals: "anybody", ...budget, ...(budget.slowest !== undefined && { slowest: 5 * budget.slowest }) }
    : budget;

/** How long a drill's silence lasts at most, and the alerts that it silences. */
const silenceOf = ({ causes, limit }: Drill, slow: number): string[] => [
  `${(limit + 60) * slow}`,
  ...(causes ? [`alertname=~"${causes.alerts.join("|")}"`, `host=~"${[...new Set(causes.hosts)].join("|")}"`] : []),
];

const markLog = async (session: Session): Promise<string> =>
  (await session.on(balancer, `stat -c '%i %s' ${log}`)).output;

const total = async (session: Session): Promise<number> =>
  Number((await session.on(redis, "halo-redis-cli get total_visits")).output);

/** The total when it no longer grows: a request that its client gave up may still be counted. */
async function finalTotal(session: Session): Promise<number> {
  let after = await total(session);
  for (let last = Number.NaN; last !== after; after = await total(session)) {
    last = after;
    await pause(session, 0.5);
  }
  return after;
}

/** Collects the effects of the drill's requests on the hosts: the counter, and every try of the balancer's log. */
async function see(
  session: Session,
  outcome: Outcome,
  mark: string,
  before: number | undefined,
  samples: Observation["samples"],
): Promise<Observation> {
  const after = before === undefined ? undefined : await finalTotal(session);
  const [inode = "", size = ""] = mark.split(" ");
  const { output } = await session.on(
    balancer,
    shellScript(new URL("balancer-tries.sh", import.meta.url), log, inode, size),
  );
  const lines = output
    .split("\n")
    .filter(Boolean)
    .map((each) => JSON.parse(each) as { id: string; method: string; upstream: string; upstream_connect: string });
  const each = (list: string) => list.split(/, | : /);
  const tries = new Map(lines.map(({ id, upstream }) => [id, each(upstream)]));
  // A try without a time to connect has sent nothing.
  const twice = lines.filter(
    ({ method, upstream_connect }) =>
      method === "POST" && each(upstream_connect).filter((time) => time !== "-").length > 1,
  );
  const address = outcome.backend && findHost(outcome.backend).address;
  const tried = [...tries].filter(([, peers]) => peers.some((each) => each.split(":")[0] === address));
  return {
    ...outcome,
    samples: samples.toSorted((a, b) => a.at - b.at),
    before,
    after,
    sentTwice: before === undefined ? twice.length : 0,
    triedBackend: new Set(tried.map(([id]) => id)),
    retried: [...tries.values()].filter((peers) => peers.length > 1).length,
  };
}
