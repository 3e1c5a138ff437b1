import { parseArgs } from "node:util";
import { playbook } from "./lib/cluster.ts";
import { command } from "./lib/problem.ts";
import { attach, elapsed } from "./lib/process.ts";

await command(async (args) => {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      message: { type: "string", short: "m", default: "" },
      "break-lock": { type: "boolean", default: false },
    },
  });
  const vars = {
    deploy_message: values.message,
    deploy_break_lock: values["break-lock"],
    ...(positionals[0] ? { rollback_to: positionals[0] } : {}),
  };
  const status = await attach(playbook("rollback.yml", "--extra-vars", JSON.stringify(vars)));
  console.log(
    `${status === 0 ? "Rolled back" : "Not rolled back everywhere, see above;"} in ${elapsed()}. All releases: npm run releases`,
  );
  return status;
});
