/** `change.ts deploy` takes a new release into service, `change.ts rollback [RELEASE]` an earlier one. */
import { parseArgs } from "node:util";
import { playbook } from "./lib/cluster.ts";
import { withExtraVars } from "./lib/extraVars.ts";
import { command, Problem } from "./lib/problem.ts";
import { attach, elapsed } from "./lib/process.ts";

const usage = {
  deploy: `builds a release and takes it into service, backend by backend

Options:
  -m, --message TEXT   why, for npm run releases
  --break-lock         take over the lock of a deploy that was killed

Example: npm run deploy -- -m 'Shorter titles'`,
  rollback: `takes the previous release, or a named one, into service again

Usage: npm run rollback [-- RELEASE]

Options:
  -m, --message TEXT   why, for npm run releases
  --break-lock         take over the lock of a deploy that was killed

Example: npm run rollback -- -m 'Titles are cut off'`,
};

const longest = 2000; // of a message, in characters: it travels as an argument, and stands in one line of the log

await command(async ([what, ...args]) => {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: what === "rollback",
    options: {
      message: { type: "string", short: "m", default: "" },
      "break-lock": { type: "boolean", default: false },
    },
  });
  if (values.message.length > longest)
    throw new Problem(
      `the message has ${values.message.length} characters, and ${longest} is the most`,
      "say it shorter, then run this again",
    );
  const vars = {
    deploy_message: values.message,
    deploy_break_lock: values["break-lock"],
    ...(positionals[0] ? { rollback_to: positionals[0] } : {}),
  };
  const status = await withExtraVars(vars, (extra) => attach(playbook(`${what}.yml`, ...extra)));
  const done = what === "rollback" ? "Rolled back" : "Deployed";
  const not = `Not ${done.toLowerCase()} everywhere, see above;`;
  console.log(`${status === 0 ? done : not} in ${elapsed()}. All releases: npm run releases`);
  return status;
}, usage);
