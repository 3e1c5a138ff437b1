/** `change.ts deploy` takes a new release into service, `change.ts rollback [RELEASE]` an earlier one. */
import { parseArgs } from "node:util";
import { playbook } from "./lib/cluster.ts";
import { command } from "./lib/problem.ts";
import { attach, elapsed } from "./lib/process.ts";

await command(async ([what, ...args]) => {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: what === "rollback",
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
  const status = await attach(playbook(`${what}.yml`, "--extra-vars", JSON.stringify(vars)));
  const done = what === "rollback" ? "Rolled back" : "Deployed";
  const not = `Not ${done.toLowerCase()} everywhere, see above;`;
  console.log(`${status === 0 ? done : not} in ${elapsed()}. All releases: npm run releases`);
  return status;
});
