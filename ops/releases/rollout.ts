/** Deploy and rollback: a release of an app goes into service on one backend first, then on half of them at a time. */
import { parseArgs } from "node:util";
import { type App, apps, findApp } from "../cluster/apps.ts";
import { playbook } from "../cluster/hosts.ts";
import { UserError } from "../lib/cli.ts";
import { elapsed } from "../lib/exec.ts";
import { withExtraVars } from "../lib/extraVars.ts";
import { runPlays } from "../lib/plays.ts";

/** Characters of a message: it travels as an argument, and is part of one line of the log. */
const MAX_MESSAGE = 2000;

const options = {
  message: { type: "string", short: "m", default: "" },
  "break-lock": { type: "boolean", default: false },
} as const;

/** Takes a new release of an app into service; resolves with the playbook's exit status. */
export function deploy(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
  const [name, more] = positionals;
  if (more !== undefined) throw new UserError(`${positionals.join(" ")}: one app at a time`, "name one, or none");
  const app = findApp(name);
  return rollOut("deploy.yml", "deployed", app, varsOf(values));
}

/** Takes an app's previous release, or a named one, into service again; resolves with the playbook's exit status. */
export function rollback(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
  const { app, release } = target(positionals);
  return rollOut("rollback.yml", "rolled back", app, {
    ...varsOf(values),
    ...(release !== undefined && { rollback_to: release }),
  });
}

/** The app and the release that words name: [APP] [RELEASE], and a release, which begins with its time, is no app's name. */
export function target(words: string[], all: App[] = apps()): { app: App; release?: string } {
  const [first, ...rest] = words;
  const named = first !== undefined && !/^\d/.test(first);
  const [release, more] = named ? rest : words;
  if (more !== undefined)
    throw new UserError(`${words.join(" ")}: one app and one release at a time`, "name them as in: demo RELEASE");
  return { app: findApp(named ? first : undefined, all), ...(release !== undefined && { release }) };
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

async function rollOut(name: string, done: string, app: App, vars: Vars): Promise<number> {
  const status = await withExtraVars({ app: app.name, ...vars }, (extra) =>
    runPlays(playbook(name, ...extra), "rollout"),
  );
  // 4: Ansible has not reached a host, and the others have gone on.
  const result =
    status === 0 ? `${app.name}: ${done}` : `${app.name}: not ${done}${status === 4 ? " everywhere" : ""}, see above;`;
  console.log(`${result} in ${elapsed()}. All releases: npm run releases -- ${app.name}`);
  return status;
}
