/**
 * One lane of tests by itself: `npm run test:system -- FILTER`; a cluster is brought up where the lane
 * needs one, and destroyed afterwards if it was not there before.
 */

import { runLane } from "./lib/lanes.ts";
import { command } from "./lib/problem.ts";
import { attach, elapsed } from "./lib/process.ts";
import { existingProvider } from "./lib/provider.ts";

await command(async ([lane = "unit", ...args]) => {
  const mine = existingProvider() === null;
  const up = { system: ["up"], vm: ["up", "--provider=libvirt"] }[lane];
  if (up && (await attach(["ops/run", ...up])) !== 0) return 1;
  const { passed, failed } = await runLane(lane, args);
  if (up && mine) await attach(["ops/run", "destroy", "--keep-image"]);
  console.log(`${elapsed()}\n${passed} passed, ${failed} failed`);
  return failed > 0 ? 1 : 0;
});
