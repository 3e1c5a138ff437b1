import { mkdirSync, writeFileSync } from "node:fs";
import { relative } from "node:path";
import { parseArgs } from "node:util";
import { findHost, viaLab } from "../cluster/hosts.ts";
import { openSession, type Session } from "../cluster/session.ts";
import { loginOf, secureUrlOf, siteFor, urlOf, wayTo } from "../cluster/sites.ts";
import { backends, balancer } from "../cluster/topology.ts";
import { typedPath, UserError } from "../lib/cli.ts";
import { elapsed, passThrough } from "../lib/exec.ts";
import { localPath, root } from "../lib/paths.ts";
import { removeRows } from "../loadgen/rows.ts";
import type { Sample } from "../loadgen/sample.ts";
import { cores, readCpu, readDatabaseCpu, removal, rowPrefix, snapshot } from "./cluster.ts";
import { deskNotes, type Round, runDesk } from "./desk.ts";
import { bySecond, clientMetrics, p95Like, prometheusMetrics } from "./metrics.ts";
import { compare, notes, page, type Report, readReport, table } from "./report.ts";
import { knee, type Run, runLoad } from "./run.ts";
import { list, makePlan, type Plan } from "./scenarios.ts";

const interrupted = new AbortController();
const secondSignal = new AbortController();
let rowsLeft: string | undefined; // why the rows are still there

/** Runs the command with its arguments; gives its exit status. */
export async function load(args: string[]) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      list: { type: "boolean" },
      rate: { type: "string" },
      duration: { type: "string" },
      connections: { type: "string" },
      path: { type: "string" },
      compare: { type: "string" },
      https: { type: "boolean", default: false },
    },
  });
  if (values.list) return console.log(list());
  if (positionals.length > 1) throw new UserError(`${positionals.join(" ")}: one scenario at a time`, "name one");
  const plan = makePlan(positionals[0], values);
  const other = values.compare === undefined ? undefined : readReport(typedPath(values.compare));
  const here = [process.execPath, ...process.argv.slice(1)];
  const inside = viaLab(here);
  if (inside.length > here.length) return passThrough(inside); // the load has to come from where the hosts are

  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => (interrupted.signal.aborted ? secondSignal : interrupted).abort());
  const report = await runPlan(plan, values.https);
  console.log(`\n${table(report)}`);
  if (other) console.log(`\n${compare(report, other)}`);
  console.log(`\nReport: ${save(report)}`);
  return rowsLeft ? 1 : report.interrupted ? 130 : 0;
}

/**
 * One run from the first snapshot until its rows are gone again.
 *
 * @param secure whether it goes by https, also where the site's plain ports do not lead there
 */
async function runPlan(plan: Plan, secure: boolean): Promise<Report> {
  const site = siteFor(plan.path);
  const { domain } = site;
  const way = wayTo(site, secure || site.redirect);
  const url = (way.tls && secureUrlOf(site)) || urlOf(site);
  const host = findHost(balancer).address;
  // Not the interruption's signal: a run that has begun is undone to its end.
  const session = () => openSession(console.log, AbortSignal.timeout(120_000));
  const target = { host, domain, ...way, ...loginOf(site), writes: `${rowPrefix}-${Date.now().toString(36)}` };
  console.log(`${plan.scenario}: ${plan.what} (${url}${plan.path})`);

  const at = new Date().toISOString();
  const writes = plan.clients !== undefined || plan.desk !== undefined;
  if (writes) await removeRows(session(), rowPrefix);
  const before = await snapshot(interrupted.signal);
  if (interrupted.signal.aborted) throw new UserError("interrupted before the first request", "run it again");
  const run = await measure(plan, target, session).finally(async () => {
    if (!writes) return;
    try {
      console.log(`${elapsed()}: ${await removeRows(session(), rowPrefix)} rows taken out again`);
    } catch (error) {
      rowsLeft = `its rows are still there; take them out: ${removal}`;
      console.log(`${elapsed()}: ${error instanceof Error ? error.message : error}\n${rowsLeft}`);
    }
  });
  const { samples, seconds, steps, cpu, baselineLatency, rounds } = run;
  if (samples.length === 0 || samples.every(({ status }) => status === 0))
    throw new UserError(`nobody answered: ${samples[0]?.error ?? "interrupted too soon"}`, "npm run verify");
  const requests = samples.filter(({ status }) => status > 0).length;
  const silent = backends.filter((name) => !(name in cpu));
  const after =
    "none" in before
      ? before
      : await snapshot(secondSignal.signal, { site: domain, before: before.counters, requests });
  const measured =
    "none" in before || "none" in after
      ? { without: "none" in before ? before.none : "none" in after ? after.none : "" }
      : prometheus(domain, seconds, before.counters, after.counters, samples, baselineLatency);
  return {
    scenario: plan.scenario,
    what: way.tls ? `${plan.what}; by https` : plan.what,
    path: plan.path,
    at,
    seconds,
    interrupted: interrupted.signal.aborted,
    client: { ...clientMetrics(samples, seconds), ...(silent.length < backends.length ? { cpu } : {}) },
    ...measured,
    steps,
    ...(rounds && { rounds }),
    notes: [
      ...(rowsLeft ? [rowsLeft] : []),
      ...(silent.length > 0 ? [`the client's backend CPU is without ${silent.join(", ")}: no word over SSH`] : []),
      ...(plan.steps ? [knee(steps, plan.steps.to)] : []),
      ...(rounds ? deskNotes(rounds) : []),
      ...notes(samples),
    ],
    series: bySecond(samples),
  };
}

/** The run itself, with the cores that the workers used in it. */
async function measure(plan: Plan, target: Parameters<typeof runLoad>[1], session: () => Session) {
  const before = await readCpu(session());
  const run: Run & { rounds?: Round[] } = plan.desk
    ? await runDesk(plan, target, () => readDatabaseCpu(session()), interrupted.signal)
    : await runLoad(plan, target, interrupted.signal);
  return { ...run, cpu: cores(before, await readCpu(session()), run.seconds) };
}

function prometheus(
  ...[site, seconds, before, after, samples, baselineLatency]: [
    ...Parameters<typeof prometheusMetrics>,
    Sample[],
    number | undefined,
  ]
): Pick<Report, "prometheus" | "p95AsLogged" | "way"> {
  const { buckets, ...metrics } = prometheusMetrics(site, seconds, before, after);
  return {
    prometheus: metrics,
    p95AsLogged: p95Like(samples, buckets, baselineLatency),
    ...(baselineLatency === undefined ? {} : { way: baselineLatency }),
  };
}

/** Writes the JSON and the page; gives where the page is. */
function save(report: Report): string {
  mkdirSync(localPath("reports"), { recursive: true });
  const name = `load-${report.scenario}-${report.at.replace(/[-:]|\.\d+/g, "")}`;
  writeFileSync(localPath("reports", `${name}.json`), `${JSON.stringify(report, null, 2)}\n`);
  writeFileSync(localPath("reports", `${name}.html`), page(report));
  return `${relative(root, localPath("reports", `${name}.html`))} and ${name}.json`;
}
