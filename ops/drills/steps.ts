/** Steps that several drills take. */
import { findHost, viaLab } from "../cluster/hosts.ts";
import { existingProvider } from "../cluster/provider.ts";
import type { Result, Session } from "../cluster/session.ts";
import { counterApp } from "../cluster/sites.ts";
import { balancer } from "../cluster/topology.ts";
import { UserError } from "../lib/cli.ts";
import { now } from "../lib/clock.ts";
import { pythonScript } from "../lib/script.ts";
import { isVisit } from "../loadgen/sample.ts";
import type { DrillSession } from "./types.ts";

export const vagrant = (session: Session, ...args: string[]): Promise<Result> =>
  session.must(viaLab(["vagrant", ...args]));

/** The last lines of a text. */
export const tail = (text: string): string => text.trimEnd().split("\n").slice(-25).join("\n");

/** Resolves with the time at which the app on this backend answers as ready, asked from the balancer. */
export async function readyAt(session: DrillSession, backend: string): Promise<number> {
  const { port, health, domains } = session.app;
  const asked = [findHost(backend).address, port, health, domains[0] ?? backend];
  const program = pythonScript(new URL("await_ready.py", import.meta.url), ...asked, backend);
  const { at } = await session.on(balancer, program);
  return at;
}

/** Resolves with the end of the first good answer that a backend (or anybody) gave to a request sent after a moment. */
export async function untilAnswered(session: DrillSession, since: number, by?: string): Promise<number> {
  const find = () =>
    session.samples().find((sample) => sample.at >= since && isVisit(sample) && (by === undefined || sample.by === by));
  await session.until(`${by ?? "somebody"} answers again`, () => find() !== undefined);
  const sample = find();
  return sample ? sample.at + sample.ms : now();
}

/** The ids of the processes that must outlive a drill, one line for each host. */
export async function processes(session: Session, hosts: string[]): Promise<string> {
  const { root, user } = counterApp();
  const lines = hosts.map(async (host) => {
    const { output } = await session.on(
      host,
      `pgrep -x 'nginx|redis-server' || true; pgrep -u ${user} -f 'pm2|${root}/current/' || true`,
    );
    return `${host}: ${output.replaceAll("\n", " ")}`;
  });
  return (await Promise.all(lines)).join("\n");
}

/** Takes the power from a host, with nothing written down first. Gives the time from which the power may be gone: a provider answers later. */
export async function cutPower(session: Session, host: string): Promise<{ at: number }> {
  const provider = existingProvider();
  const { output: id } = await session.must(["cat", `.vagrant/machines/${host}/${provider}/id`]);
  const cut = {
    docker: ["docker", "kill", id],
    libvirt: ["virsh", "--connect", "qemu:///system", "destroy", id],
    virtualbox: ["VBoxManage", "controlvm", id, "poweroff"],
  };
  if (!provider) throw new UserError("Vagrant has no hosts here, so there is no power to cut", "npm run up");
  const at = now();
  await session.must(viaLab(cut[provider]));
  return { at };
}
