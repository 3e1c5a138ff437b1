/** Deploy and rollback: a release goes into service on one backend first, then on half of them at a time. */
import { parseArgs } from "node:util";
import { playbook } from "../cluster/hosts.ts";
import { UserError } from "../lib/cli.ts";
import { elapsed, passThrough } from "../lib/exec.ts";
import { withExtraVars } from "../lib/extraVars.ts";

/** Characters of a message: it travels as an argument, and is part of one line of the log. */
const MAX_MESSAGE = 2000;

const options = {
  message: { type: "string", short: "m", default: "" },
  "break-lock": { type: "boolean", default: false },
} as const;

/** Takes a new release into service; resolves with the playbook's exit status. */
export function deploy(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options });
  return rollOut("deploy.yml", "Deployed", varsOf(values));
}

/** Takes the previous release, or a named one, into service again; resolves with the playbook's exit status. */
export function rollback(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
  const [release] = positionals;
  return rollOut("rollback.yml", "Rolled back", { ...varsOf(values), ...(release && { rollback_to: release }) });
}

type Vars = Parameters<typeof withExtraVars>[0];

function varsOf(values: { message: string; "break-lock": boolean }): Vars {
  if (values.message.length > MAX_MESSAGE)
    throw new UserError(
      `the message has ${values.message.length} characters, and at most ${MAX_MESSAGE} are possible`,
      "shorten it, then run this again",
    );
  return { deploy_message: values.message, deploy_break_lock: values["break-lock"] };
}

async function rollOut(name: string, done: string, vars: Vars): Promise<number> {
  const status = await withExtraVars(vars, (extra) => passThrough(playbook(name, ...extra)));
  const result = status === 0 ? done : `Not ${done.toLowerCase()} everywhere, see above;`;
  console.log(`${result} in ${elapsed()}. All releases: npm run releases`);
  return status;
}
