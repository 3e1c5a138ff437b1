import { setRotation } from "./drain/rotation.ts";
import { runCommand } from "./lib/cli.ts";

const usage = {
  undrain: `puts a drained backend into the balancer's rotation again

Usage: npm run undrain -- HOST [APP]

Example: npm run undrain -- backend1`,
};

await runCommand((args) => setRotation("undrain", args), usage);
