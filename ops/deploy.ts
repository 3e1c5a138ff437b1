import { parseArgs } from "node:util";
import { playbook } from "./lib/cluster.ts";
import { command } from "./lib/problem.ts";
import { attach, elapsed } from "./lib/process.ts";

await command(async (args) => {
  const { values } = parseArgs({
    args,
    options: {
      message: { type: "string", short: "m", default: "" },
      "break-lock": { type: "boolean", default: false },
    },
  });
  const vars = { deploy_message: values.message, deploy_break_lock: values["break-lock"] };
  const status = await attach(playbook("deploy.yml", "--extra-vars", JSON.stringify(vars)));
  console.log(
    `${status === 0 ? "Deployed" : "Not deployed everywhere, see above;"} in ${elapsed()}. All releases: npm run releases`,
  );
  return status;
});
