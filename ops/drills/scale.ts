/** A backend more and one less, by the command that people use. */
import { inGroup, inventoryText } from "../cluster/inventory.ts";
import type { Session } from "../cluster/session.ts";
import { backends, postgres } from "../cluster/topology.ts";
import { now } from "../lib/clock.ts";
import { mayBeReset } from "./balancer.ts";
import { untilAnswered } from "./steps.ts";
import type { Drill, Outcome } from "./types.ts";

const scaleTo = (session: Session, count: number) =>
  session.must([process.execPath, "ops/scale.ts", `backends=${count}`, "--yes"]);
const seconds = (ms: number) => (ms / 1000).toFixed(0);

const edges = ["ActiveExitTimestampMonotonic", "ActiveEnterTimestampMonotonic"] as const;

/** The restart of PostgreSQL since a moment, by the output of `systemctl show`; its last second is that of the service's new connections. */
export function restartSince(moment: number, shown: string): NonNullable<Outcome["away"]> {
  // Containers have this machine's clock.
  const [from = 0, to = 0] = edges.map((edge) => Number(shown.match(new RegExp(`^${edge}=(\\d+)$`, "m"))?.[1]) / 1000);
  return from > moment ? [{ from, to: to + 1000 }] : [];
}

/** Scales, and gives the restart of PostgreSQL meanwhile. */
async function scaleMeasured(session: Session, count: number): Promise<NonNullable<Outcome["away"]>> {
  const from = now();
  await scaleTo(session, count);
  const { output } = await session.on(postgres, `systemctl show -p ${edges.join(",")} 'postgresql@*'`);
  return restartSince(from, output);
}

export const scale: Drill = {
  name: "scale",
  what: "npm run scale adds a backend, and takes it away again",
  limit: 900, // site.yml twice, with a new host the first time
  budget: {},
  fresh: true,
  writes: true,
  // A VM takes memory that a person may need, and minutes to boot.
  providers: ["docker"],
  run: async (session) => {
    const before = inventoryText();
    const failedAt = now();
    const first = await scaleMeasured(session, backends.length + 1);
    const addedAt = now();
    const [more = ""] = inGroup("backends").flatMap(({ name }) => (backends.includes(name) ? [] : [name]));
    await untilAnswered(session, addedAt, more);
    session.say(`${more} answers`);
    const leavesAt = now();
    const second = await scaleMeasured(session, backends.length);
    const overAt = now();
    return {
      failedAt,
      overAt,
      broken: inventoryText() === before ? [] : ["the inventory is not as it was before"],
      mayLose: await mayBeReset(session),
      // PostgreSQL restarts only where the backends need more connections than before.
      away: [...first, ...second],
      notes: [`one more in ${seconds(addedAt - failedAt)} s, one less in ${seconds(overAt - leavesAt)} s`],
    };
  },
  restore: (session) => scaleTo(session, backends.length),
};
