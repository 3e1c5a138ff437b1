/**
 * One lane of tests by itself: `npm run test:system -- FILTER`; a cluster is brought up where the lane
 * needs one, and destroyed afterwards, whatever happened, if it was not there before.
 */
import { type Count, refuseForeignLab, runLane, total } from "./lib/lanes.ts";
import { command } from "./lib/problem.ts";
import { attach } from "./lib/process.ts";
import { existingProvider } from "./lib/provider.ts";

await command(async ([lane = "unit", ...args]) => {
  const up = { system: ["up"], vm: ["up", "--provider=libvirt"] }[lane];
  const mine = up !== undefined && existingProvider() === null;
  if (mine) refuseForeignLab();
  let count: Count;
  try {
    if (up && (await attach(["ops/run", ...up])) !== 0) return 1;
    count = await runLane(lane, args);
  } finally {
    if (mine) await attach(["ops/run", "destroy", "--keep-image"]);
  }
  console.log(total(count));
  return count.failures.length > 0 ? 1 : 0;
});
