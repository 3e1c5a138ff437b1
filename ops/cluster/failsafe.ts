/** Undoing a failure that was caused on purpose, by this process or, should it be killed, by the hosts themselves. */

import { UserError } from "../lib/cli.ts";
import { pythonScript, quote } from "../lib/script.ts";
import { remote } from "./hosts.ts";
import { hosts } from "./inventory.ts";
import type { Session } from "./session.ts";
import { counterSite, wayTo } from "./sites.ts";
import { backends, balancer, monitoring } from "./topology.ts";

/** A script for these hosts that undoes a failure, and changes nothing where there is none to undo. */
export type Undo = { on: string[]; script: string };
type Undoable = { name: string; undo?: Undo };

const unit = (name: string) => `halo-drill-${name}`; // the timer and service by which a host undoes it

/**
 * Reports to the monitoring host that a drill begins or ends; the drill goes on where there is none or it does not answer.
 * Resolves with the id of the silence that has begun, or ""; it ends by itself if nobody ends it.
 */
export async function announce(
  session: Session,
  action: "begin" | "end",
  { name }: { name: string },
  ...args: string[]
): Promise<string> {
  if (!monitoring) return "";
  const quoted = args.filter(Boolean).map(quote);
  const line = `halo-planned ${action} drill ${name} ${quoted.join(" ")}`;
  return session.on(monitoring, line).then(
    ({ output }) => output.match(/^[0-9a-f-]{36}$/m)?.[0] ?? "",
    (error) => {
      session.say(`the monitoring host was not informed: ${error instanceof Error ? error.message : error}`);
      return "";
    },
  );
}

/** Throws a UserError where a drill or fault is under way, or was killed and its host has still to put itself right. */
export async function refuseIfAnotherRuns(session: Session): Promise<void> {
  const checks = hosts().map(async (host) => {
    const ask = `date +%s; systemctl list-timers --output=json '${unit("*")}'`;
    const { code, output } = await session.sh(remote(host, "sh", "-c", `"${ask}"`));
    if (code !== 0) return; // other checks report this host
    const [seconds, timers = ""] = output.split("\n");
    for (const { next, activates } of JSON.parse(timers) as { next: number; activates: string }[])
      throw new UserError(
        `${activates} is armed: a killed drill or fault will put itself right in ${Math.ceil(next / 1e6 - Number(seconds))} s, or one is under way`,
        `wait for it; to put a killed one right now: npm run ssh -- ${host.name} sudo systemctl start --wait ${activates}`,
      );
  });
  await Promise.all(checks);
}

/** Has the hosts put themselves right, should nobody be left to ask for it. */
export async function armUndo(
  session: Session,
  { name, undo, limit }: Undoable & { limit: number },
  slow: number,
): Promise<void> {
  if (!undo) return;
  // A caller that starts it before its time has nothing left to wait for.
  const script = `systemctl stop ${unit(name)}.timer\n${undo.script}`;
  const line = `systemd-run --quiet --collect --unit=${unit(name)} --on-active=${(limit + 60) * slow} bash -c ${quote(script)}`;
  await Promise.all(undo.on.map((host) => session.on(host, line)));
}

/** Puts everything right and waits until every backend answers. */
export async function restoreCluster(
  session: Session,
  { name, undo, restore }: Undoable & { restore?: (session: Session) => Promise<unknown> },
): Promise<void> {
  await restore?.(session);
  if (undo)
    await Promise.all(
      undo.on.map((host) => session.on(host, `systemctl stop ${unit(name)}.timer 2>/dev/null || true\n${undo.script}`)),
    );
  const site = counterSite();
  const { port, tls } = wayTo(site);
  const way = [tls ? "https" : "http", String(port), site.domain];
  await session.on(balancer, pythonScript(new URL("await_backends.py", import.meta.url), ...way, ...backends));
}
