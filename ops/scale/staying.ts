/** The hosts that stay, asked before the first change. */
import { type App, hostsOf } from "../cluster/apps.ts";
import { remote } from "../cluster/hosts.ts";
import type { Host } from "../cluster/inventory.ts";
import type { Session } from "../cluster/session.ts";
import { UserError } from "../lib/cli.ts";
import { quote } from "../lib/script.ts";

/** A host that cannot be reached, or with an app that is not ready. */
export type Faulty = { host: Host; reason: string; reached: boolean };

/** The exit status of ssh itself. */
const NO_CONNECTION = 255;

/** Asks each host, and each of its apps whether it is ready; resolves with the faulty ones. */
export async function faultyOf(staying: Host[], apps: App[], session: Pick<Session, "sh">): Promise<Faulty[]> {
  const asked = staying.map(async (host): Promise<Faulty[]> => {
    const own = apps.filter((app) => app.runs && hostsOf(app).includes(host.name));
    const script = own.map(({ name }) => `halo-release ${name} check`).join(" && ") || "true";
    const { code, output } = await session.sh(remote(host, "sudo", "sh", "-c", quote(script)));
    if (code === 0) return [];
    // The last log lines of an app may follow the gate's own.
    const lines = output.split("\n");
    const reason = lines.find((line) => line.includes("did not become ready")) ?? lines.at(-1) ?? "";
    return [{ host, reason: reason.replace(/\. Fix: .*/, ""), reached: code !== NO_CONNECTION }];
  });
  return (await Promise.all(asked)).flat();
}

/**
 * The backends that a run can leave out: it only adds others, and they cannot be reached.
 *
 * @param leaving the backends to be drained or destroyed, whose requests the staying ones take
 * @throws {UserError} for a faulty host that the run needs
 */
export function leftOut(faulty: Faulty[], leaving: string[]): string[] {
  const isNeeded = ({ host, reached }: Faulty) =>
    leaving.length > 0 || (!reached && host.groups.some((group) => group !== "all" && group !== "backends"));
  const needed = faulty.filter(isNeeded);
  if (needed.length > 0)
    throw new UserError(
      `${needed.map(({ host, reason }) => `${host.name}: ${reason}`).join("\n")}\nnothing was changed`,
      "npm run diagnose, then run this again",
    );
  return faulty.filter(({ reached }) => !reached).map(({ host }) => host.name);
}
