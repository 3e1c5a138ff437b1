/**
 * Load on purpose: `npm run load -- SCENARIO [--rate N --duration 90s --connections N --path /api/...] [--compare FILE]`,
 * `-- --list`. Prints the client's figures and Prometheus' beside them; JSON and a page with plots in .halo/reports/.
 * What it writes it takes out again, also after Ctrl-C.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { relative } from "node:path";
import { parseArgs } from "node:util";
import type { Shot } from "./drill/load.ts";
import { backends, balancer, makeScene, type Scene } from "./drill/scene.ts";
import { findHost, reach } from "./lib/cluster.ts";
import { command, Problem } from "./lib/problem.ts";
import { attach, elapsed } from "./lib/process.ts";
import { domainOf, own, root } from "./lib/project.ts";
import { cores, readCpu, removal, removeRows, rowPrefix, snapshot } from "./load/cluster.ts";
import { drive, knee } from "./load/drive.ts";
import { bySecond, clientFigures, p95Like, prometheusFigures } from "./load/figures.ts";
import { compare, notes, page, type Report, readReport, table } from "./load/report.ts";
import { list, makePlan, type Plan } from "./load/scenarios.ts";

const usage = {
  load: `sends load by a scenario; compares the client's figures with Prometheus'

Usage: npm run load -- SCENARIO

Options:
  --list            name the scenarios, and do nothing
  --rate N          requests a second
  --duration TIME   such as 90s or 5m
  --connections N   at most so many at once
  --path PATH       ask for this path
  --compare FILE    print an earlier report's figures (.halo/reports/load-*.json) beside these

Example: npm run load -- spike --rate 100 --duration 30s`,
};

const interrupted = new AbortController();
const hurried = new AbortController();
let left: string | undefined; // why the rows are still there

await command(async (args) => {
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
    },
  });
  if (values.list) return console.log(list());
  if (positionals.length > 1) throw new Problem(`${positionals.join(" ")}: one scenario at a time`, "name one");
  const plan = makePlan(positionals[0], values);
  const other = values.compare === undefined ? undefined : readReport(values.compare);
  const here = [process.execPath, ...process.argv.slice(1)];
  const inside = reach(here);
  if (inside.length > here.length) return attach(inside); // the load has to come from where the hosts are

  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => (interrupted.signal.aborted ? hurried : interrupted).abort());
  const report = await load(plan);
  console.log(`\n${table(report)}`);
  if (other) console.log(`\n${compare(report, other)}`);
  console.log(`\nReport: ${save(report)}`);
  return left ? 1 : report.interrupted ? 130 : 0;
}, usage);

/** One run from the look before it until its rows are gone again. */
async function load(plan: Plan): Promise<Report> {
  const domain = domainOf(plan.path);
  const host = findHost(balancer).address;
  // Not the interruption's: what is begun is put right.
  const scene = () => makeScene(() => [], console.log, AbortSignal.timeout(120_000));
  const target = { host, domain, writes: `${rowPrefix}-${Date.now().toString(36)}` };
  console.log(`${plan.scenario}: ${plan.what} (http://${domain}${plan.path})`);

  const at = new Date().toISOString();
  if (plan.clients) await removeRows(scene());
  const before = await snapshot(interrupted.signal);
  if (interrupted.signal.aborted) throw new Problem("interrupted before the first request", "run it again");
  const { shots, seconds, steps, cpu, way } = await measure(plan, target, scene).finally(async () => {
    if (!plan.clients) return;
    try {
      console.log(`${elapsed()}: ${await removeRows(scene())} rows taken out again`);
    } catch (error) {
      left = `its rows are still there; take them out: ${removal}`;
      console.log(`${elapsed()}: ${error instanceof Error ? error.message : error}\n${left}`);
    }
  });
  if (shots.length === 0 || shots.every(({ status }) => status === 0))
    throw new Problem(`nobody answered: ${shots[0]?.error ?? "interrupted too soon"}`, "npm run verify");
  const requests = shots.filter(({ status }) => status > 0).length;
  const silent = backends.filter((name) => !(name in cpu));
  const after =
    "none" in before ? before : await snapshot(hurried.signal, { site: domain, before: before.counters, requests });
  const measured =
    "none" in before || "none" in after
      ? { without: "none" in before ? before.none : "none" in after ? after.none : "" }
      : prometheus(domain, seconds, before.counters, after.counters, shots, way);
  return {
    scenario: plan.scenario,
    what: plan.what,
    path: plan.path,
    at,
    seconds,
    interrupted: interrupted.signal.aborted,
    client: { ...clientFigures(shots, seconds), ...(silent.length < backends.length ? { cpu } : {}) },
    ...measured,
    steps,
    notes: [
      ...(left ? [left] : []),
      ...(silent.length > 0 ? [`the client's backend CPU is without ${silent.join(", ")}: no word over SSH`] : []),
      ...(plan.steps ? [knee(steps, plan.steps.to)] : []),
      ...notes(shots),
    ],
    series: bySecond(shots),
  };
}

/** The run itself, with the cores that the workers used in it. */
async function measure(plan: Plan, target: Parameters<typeof drive>[1], scene: () => Scene) {
  const before = await readCpu(scene());
  const run = await drive(plan, target, interrupted.signal);
  return { ...run, cpu: cores(before, await readCpu(scene()), run.seconds) };
}

function prometheus(
  ...[site, seconds, before, after, shots, way]: [...Parameters<typeof prometheusFigures>, Shot[], number | undefined]
): Pick<Report, "prometheus" | "p95AsLogged" | "way"> {
  const { buckets, ...figures } = prometheusFigures(site, seconds, before, after);
  return { prometheus: figures, p95AsLogged: p95Like(shots, buckets, way), ...(way === undefined ? {} : { way }) };
}

/** Writes the JSON and the page; gives where the page is. */
function save(report: Report): string {
  mkdirSync(own("reports"), { recursive: true });
  const name = `load-${report.scenario}-${report.at.replace(/[-:]|\.\d+/g, "")}`;
  writeFileSync(own("reports", `${name}.json`), `${JSON.stringify(report, null, 2)}\n`);
  writeFileSync(own("reports", `${name}.html`), page(report));
  return `${relative(root, own("reports", `${name}.html`))} and ${name}.json`;
}
