import { parseArgs } from "node:util";
import { announce, armUndo, refuseIfAnotherRuns, restoreCluster } from "../cluster/failsafe.ts";
import { viaLab } from "../cluster/hosts.ts";
import { existingProvider } from "../cluster/provider.ts";
import { openSession, pause, type Session } from "../cluster/session.ts";
import { UserError } from "../lib/cli.ts";
import { elapsed, passThrough } from "../lib/exec.ts";
import { drillRows, removeRows } from "../loadgen/rows.ts";
import { faults } from "./index.ts";
import { startTraffic } from "./traffic.ts";

const slow = existingProvider() === "docker" ? 1 : 5;
const interrupted = new AbortController();

/** Runs the command with its arguments; gives its exit status. */
export async function fault(args: string[]) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { list: { type: "boolean" }, seconds: { type: "string", default: "60" } },
  });
  if (values.list) return console.log(faults.map(({ name, what }) => `${name.padEnd(18)} ${what}`).join("\n"));
  const fault = faults.find(({ name }) => name === positionals[0]);
  if (!fault || positionals.length > 1)
    throw new UserError(
      `there is no fault ${positionals.join(" ")}`,
      `name one of ${faults.map(({ name }) => name).join(", ")}`,
    );
  const seconds = Number(values.seconds);
  if (!(Number.isInteger(seconds) && seconds >= 10 && seconds <= 3600))
    throw new UserError(`--seconds ${values.seconds} is not possible`, "a whole number from 10 to 3600");
  const here = [process.execPath, ...process.argv.slice(1)];
  const inside = viaLab(here);
  if (inside.length > here.length) return passThrough(inside); // the load has to come from where the hosts are

  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => interrupted.abort(new UserError("interrupted", "everything is put back")));
  const say = (text: string) => console.log(`${elapsed()}: ${text}`);
  const limited = (limit: number, ...signals: AbortSignal[]): Session =>
    openSession(say, AbortSignal.any([AbortSignal.timeout(limit * slow * 1000), ...signals]));
  const session = limited(seconds + 60, interrupted.signal);
  await refuseIfAnotherRuns(limited(60));
  await announce(limited(30), "begin", fault, `${seconds + 60}`);
  const stop = startTraffic();
  try {
    await armUndo(session, { ...fault, limit: seconds }, slow);
    await fault.make(session, seconds + 60);
    say(`${fault.what}; for ${seconds} s: npm run diagnose`);
    await pause(session, seconds);
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
  } finally {
    await stop().catch((error) => say(`${error}`));
    await restoreCluster(limited(120), fault);
    await removeRows(limited(60), drillRows);
    await announce(limited(30), "end", fault);
    say("everything is put back");
  }
}
