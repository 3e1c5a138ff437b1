import { run } from "./lib/cluster.ts";
import { command, Problem } from "./lib/problem.ts";

await command((args) => {
  if (args.length === 0) throw new Problem("no command is given", "npm run exec -- curl http://192.168.56.10/");
  return run(args);
});
