/** A backend more and one less, by the command that people use. */
import { inGroup, inventoryText } from "../cluster/inventory.ts";
import type { Session } from "../cluster/session.ts";
import { backends } from "../cluster/topology.ts";
import { now } from "../lib/clock.ts";
import { mayBeReset } from "./balancer.ts";
import { untilAnswered } from "./steps.ts";
import type { Drill } from "./types.ts";

const scaleTo = (session: Session, count: number) =>
  session.must([process.execPath, "ops/scale.ts", `backends=${count}`, "--yes"]);
const seconds = (ms: number) => (ms / 1000).toFixed(0);

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
    await scaleTo(session, backends.length + 1);
    const addedAt = now();
    const [more = ""] = inGroup("backends").flatMap(({ name }) => (backends.includes(name) ? [] : [name]));
    await untilAnswered(session, addedAt, more);
    session.say(`${more} answers`);
    const leavesAt = now();
    await scaleTo(session, backends.length);
    const overAt = now();
    return {
      failedAt,
      overAt,
      broken: inventoryText() === before ? [] : ["the inventory is not as it was before"],
      mayLose: await mayBeReset(session),
      // PostgreSQL restarts where the backends need more connections than before; each write is one row all the same.
      away: [{ from: failedAt, to: overAt }],
      notes: [`one more in ${seconds(addedAt - failedAt)} s, one less in ${seconds(overAt - leavesAt)} s`],
    };
  },
  restore: (session) => scaleTo(session, backends.length),
};
