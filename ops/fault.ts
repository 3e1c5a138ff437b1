/**
 * Makes one of the causes that `npm run diagnose` names, under a modest load, and puts everything back:
 * `npm run fault -- NAME [--seconds 60]`, `-- --list`. Ctrl-C ends it early. Should nobody be left to end it, the hosts
 * put themselves right.
 */
import { parseArgs } from "node:util";
import { arm, plan, putBack, refuseBeside, removeRows } from "./drill/perform.ts";
import { makeScene, type Scene, steady } from "./drill/scene.ts";
import { faults } from "./faults/faults.ts";
import { startTraffic } from "./faults/load.ts";
import { reach } from "./lib/cluster.ts";
import { command, Problem } from "./lib/problem.ts";
import { attach, elapsed } from "./lib/process.ts";
import { existingProvider } from "./lib/provider.ts";

const usage = {
  fault: `causes one of the faults that diagnose knows, and undoes it

Usage: npm run fault -- NAME

Options:
  --list        name the faults, and do nothing
  --seconds N   how long, 10 to 3600 (default 60)

Example: npm run fault -- starvation --seconds 120`,
};

const slow = existingProvider() === "docker" ? 1 : 5;
const interrupted = new AbortController();

await command(async (args) => {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { list: { type: "boolean" }, seconds: { type: "string", default: "60" } },
  });
  if (values.list) return console.log(faults.map(({ name, what }) => `${name.padEnd(18)} ${what}`).join("\n"));
  const fault = faults.find(({ name }) => name === positionals[0]);
  if (!fault || positionals.length > 1)
    throw new Problem(
      `there is no fault ${positionals.join(" ")}`,
      `name one of ${faults.map(({ name }) => name).join(", ")}`,
    );
  const seconds = Number(values.seconds);
  if (!(seconds >= 10 && seconds <= 3600))
    throw new Problem(`--seconds ${values.seconds} is not possible`, "10 to 3600");
  const here = [process.execPath, ...process.argv.slice(1)];
  const inside = reach(here);
  if (inside.length > here.length) return attach(inside); // the load has to come from where the hosts are

  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => interrupted.abort(new Problem("interrupted", "everything is put back")));
  const say = (text: string) => console.log(`${elapsed()}: ${text}`);
  const limited = (limit: number, ...signals: AbortSignal[]): Scene =>
    makeScene(() => [], say, AbortSignal.any([AbortSignal.timeout(limit * slow * 1000), ...signals]));
  const scene = limited(seconds + 60, interrupted.signal);
  await refuseBeside(limited(60));
  await plan(limited(30), "begin", fault, `${seconds + 60}`);
  const stop = startTraffic();
  try {
    await arm(scene, { ...fault, limit: seconds }, slow);
    await fault.make(scene, seconds + 60);
    say(`${fault.what}; for ${seconds} s: npm run diagnose`);
    await steady(scene, seconds);
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
  } finally {
    await stop().catch((error) => say(`${error}`));
    await putBack(limited(120), fault);
    await removeRows(limited(60));
    await plan(limited(30), "end", fault);
    say("everything is put back");
  }
}, usage);
