import { setRotation } from "./drain/rotation.ts";
import { runCommand } from "./lib/cli.ts";

const usage = {
  drain: `takes a backend out of the balancer's rotation, for maintenance

Usage: npm run drain -- HOST [APP]

With an app it gets the requests of the other apps still.

Example: npm run drain -- backend1`,
};

await runCommand((args) => setRotation("drain", args), usage);
