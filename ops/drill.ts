/**
 * Failures under constant load, each with its budget: `npm run drill`, `npm run drill -- NAME ...`, `-- --list`,
 * `-- --rate 200`. Exit status 0 only if every budget held. Reports: .halo/reports/drills.json and drills.md.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type Drill, drills } from "./drill/drills.ts";
import { perform, refuseBeside } from "./drill/perform.ts";
import { line, type Row, table } from "./drill/report.ts";
import { makeScene } from "./drill/scene.ts";
import { reach } from "./lib/cluster.ts";
import { command, Problem } from "./lib/problem.ts";
import { attach, elapsed } from "./lib/process.ts";
import { own } from "./lib/project.ts";
import { existingProvider } from "./lib/provider.ts";

const usage = {
  drill: `causes failures under constant load and judges each by its budget

Usage: npm run drill [-- NAME ...]
Without a name: all, in about ten minutes. Exit status 0 if every budget held.

Options:
  --list     name the drills, and do nothing
  --rate N   requests a second, 5 to 2000 (default 200)

Example: npm run drill -- worker --rate 100`,
};

const provider = existingProvider();
const slow = provider === "docker" ? 1 : 5; // a VM boots for longer, an emulated one for much longer
const interrupted = new AbortController();

await command(async (args) => {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { list: { type: "boolean" }, rate: { type: "string", default: "200" } },
  });
  if (values.list) return console.log(drills.map(({ name, what }) => `${name.padEnd(12)} ${what}`).join("\n"));
  const chosen = choose(positionals);
  const rate = Number(values.rate);
  if (!(rate >= 5 && rate <= 2000))
    throw new Problem(`--rate ${values.rate} is no rate`, "give requests a second, 5 to 2000");
  const here = [process.execPath, ...process.argv.slice(1)];
  const inside = reach(here);
  if (inside.length > here.length) return attach(inside); // the load has to come from where the hosts are

  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => interrupted.abort(new Problem("interrupted; everything was put back", "run it again")));
  await refuseBeside(makeScene(() => [], console.log, AbortSignal.timeout(60_000 * slow)));
  await verify("a drill would prove nothing");
  const rows: Row[] = [];
  for (const drill of chosen) {
    if (interrupted.signal.aborted) break;
    console.log(`\n${elapsed()}: ${drill.name}: ${drill.what}`);
    const row = await perform(drill, rate, slow, interrupted.signal);
    rows.push(row);
    console.log(line(row));
  }
  report(rows, rate);
  await verify("the drills left it so");
  return rows.length < chosen.length || rows.some(({ broken }) => broken.length > 0) ? 1 : 0;
}, usage);

function choose(names: string[]): Drill[] {
  const here = drills.filter(({ providers }) => !providers || (provider && providers.includes(provider)));
  if (names.length === 0) return here;
  return names.map((name) => {
    const drill = here.find((each) => each.name === name);
    if (drill) return drill;
    const elsewhere = drills.find((each) => each.name === name);
    throw new Problem(
      elsewhere ? `the drill ${name} needs ${elsewhere.providers?.join(" or ")}` : `there is no drill ${name}`,
      `name some of ${here.map((each) => each.name).join(", ")}; npm run drill -- --list says what they do`,
    );
  });
}

async function verify(otherwise: string): Promise<void> {
  console.log(`${elapsed()}: is everything as it should be?`);
  const { code, output } = await makeScene(() => [], console.log, AbortSignal.timeout(60_000 * slow)).ansible(
    "verify.yml",
  );
  const wrong = output.split("\n").filter((each) => each.trim().startsWith("WRONG"));
  if (code !== 0)
    throw new Problem(`the cluster is not healthy, ${otherwise}\n${[...new Set(wrong)].join("\n")}`, "npm run verify");
}

function report(rows: Row[], rate: number): void {
  const text = table(rows);
  mkdirSync(own("reports"), { recursive: true });
  writeFileSync(own("reports", "drills.json"), JSON.stringify({ provider, rate, rows }, null, 2));
  writeFileSync(own("reports", "drills.md"), `${text}\n`);
  console.log(`\n${text}\n\n${elapsed()} in all. Also in .halo/reports/drills.md and drills.json.`);
}
