import { mkdirSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type App, findApp, hostsOf } from "../cluster/apps.ts";
import { refuseIfAnotherRuns } from "../cluster/failsafe.ts";
import { viaLab } from "../cluster/hosts.ts";
import { existingProvider } from "../cluster/provider.ts";
import { openSession } from "../cluster/session.ts";
import { counterApp, counterSite, siteFor, siteOfApp, wayTo } from "../cluster/sites.ts";
import { backends } from "../cluster/topology.ts";
import { UserError } from "../lib/cli.ts";
import { elapsed, passThrough } from "../lib/exec.ts";
import { localPath } from "../lib/paths.ts";
import { writesPath } from "../loadgen/options.ts";
import { drills } from "./index.ts";
import { line, type Row, table } from "./report.ts";
import { runDrill } from "./runner.ts";
import type { Drill } from "./types.ts";

const provider = existingProvider();
const slow = provider === "docker" ? 1 : 5; // a VM boots for longer, an emulated one for much longer
const interrupted = new AbortController();

/** Runs the command with its arguments; gives its exit status. */
export async function drill(args: string[]) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      list: { type: "boolean" },
      rate: { type: "string", default: "200" },
      app: { type: "string" },
      https: { type: "boolean", default: false },
    },
  });
  const app = values.app === undefined ? counterApp() : findApp(values.app);
  if (!app.runs) throw new UserError(`${app.name} is static: nothing of it runs`, "name an app with processes");
  if (values.list) return console.log(drills.map(({ name, what }) => `${name.padEnd(12)} ${what}`).join("\n"));
  refuseUnfit(app);
  const chosen = choose(positionals, app.name !== counterApp().name);
  // A site without a certificate is named before anything fails.
  const asked = app.name === counterApp().name ? [counterSite(), siteFor(writesPath)] : [siteOfApp(app)];
  if (values.https) for (const site of asked) wayTo(site, true);
  const rate = Number(values.rate);
  if (!(rate >= 5 && rate <= 2000))
    throw new UserError(`--rate ${values.rate} is no rate`, "give requests a second, 5 to 2000");
  const here = [process.execPath, ...process.argv.slice(1)];
  const inside = viaLab(here);
  if (inside.length > here.length) return passThrough(inside); // the load has to come from where the hosts are

  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => interrupted.abort(new UserError("interrupted; everything was put back", "run it again")));
  await refuseIfAnotherRuns(openSession(console.log, AbortSignal.timeout(60_000 * slow)));
  await verify("a drill would prove nothing");
  const rows: Row[] = [];
  for (const drill of chosen) {
    if (interrupted.signal.aborted) break;
    console.log(`\n${elapsed()}: ${drill.name}: ${drill.what}`);
    const row = await runDrill(drill, app, rate, values.https || drill.https === true, slow, interrupted.signal);
    rows.push(row);
    console.log(line(row));
  }
  report(rows, rate);
  await verify("the drills left it so");
  return rows.length < chosen.length || rows.some(({ broken }) => broken.length > 0) ? 1 : 0;
}

/** Throws a UserError for an app that a drill cannot ask through the balancer, or that is not on each backend. */
function refuseUnfit(app: App): void {
  if (app.name !== counterApp().name) siteOfApp(app);
  const without = backends.filter((name) => !hostsOf(app).includes(name));
  if (without.length > 0)
    throw new UserError(
      `${app.name} does not run on ${without.join(", ")}, and a drill lets one backend fail`,
      "name an app that runs on every backend",
    );
}

/** The thing that a drill needs and this cluster does not have; undefined where it has all. */
function needs({ providers, https }: Drill): string | undefined {
  if (providers && !(provider && providers.includes(provider))) return providers.join(" or ");
  return https && counterSite().tls !== "local" ? "tls: local of the counter's site" : undefined;
}

/** @param other whether they are about another app than the counter's */
function choose(names: string[], other: boolean): Drill[] {
  const known = drills.filter(({ anyApp }) => anyApp || !other);
  const here = known.filter((drill) => !needs(drill));
  if (names.length === 0) return here;
  return names.map((name) => {
    const drill = here.find((each) => each.name === name);
    if (drill) return drill;
    const elsewhere = known.find((each) => each.name === name);
    throw new UserError(
      elsewhere ? `the drill ${name} needs ${needs(elsewhere)}` : `there is no drill ${name}`,
      `name some of ${here.map((each) => each.name).join(", ")}; npm run drill -- --list describes them`,
    );
  });
}

async function verify(otherwise: string): Promise<void> {
  console.log(`${elapsed()}: is everything as it should be?`);
  const { code, output } = await openSession(console.log, AbortSignal.timeout(60_000 * slow)).ansible("verify.yml");
  const wrong = output.split("\n").filter((each) => each.trim().startsWith("WRONG"));
  if (code !== 0)
    throw new UserError(
      `the cluster is not healthy, ${otherwise}\n${[...new Set(wrong)].join("\n")}`,
      "npm run verify",
    );
}

function report(rows: Row[], rate: number): void {
  const text = table(rows);
  mkdirSync(localPath("reports"), { recursive: true });
  writeFileSync(localPath("reports", "drills.json"), JSON.stringify({ provider, rate, rows }, null, 2));
  writeFileSync(localPath("reports", "drills.md"), `${text}\n`);
  console.log(`\n${text}\n\n${elapsed()} in all. Also in .halo/reports/drills.md and drills.json.`);
}
