/** Deploys and rollbacks: good ones, bad ones and one that is cut off. */
import { appendFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { playbook } from "../cluster/hosts.ts";
import { emulated } from "../cluster/provider.ts";
import { killGroup, pause } from "../cluster/session.ts";
import { backends } from "../cluster/topology.ts";
import { now } from "../lib/clock.ts";
import { pack } from "../lib/pack.ts";
import { localPath } from "../lib/paths.ts";
import { textOf } from "../lib/script.ts";
import { type Live, notLive } from "./budget.ts";
import { tail } from "./steps.ts";
import type { Drill, DrillSession, Outcome } from "./types.ts";

const [first = ""] = backends;
const message = ({ app }: DrillSession) => ["-e", `app=${app.name}`, "-e", "deploy_message=drill"];
const serving = async (session: DrillSession, host: string): Promise<string> =>
  (await session.on(host, `basename $(readlink ${session.app.root}/current)`)).output;

/** Runs these playbooks one after the other; each answer must be of a release that was live at that moment. */
async function changes(session: DrillSession, ...runs: [string, ...string[]][]): Promise<Outcome> {
  const live: Live[] = [{ release: await serving(session, first), from: 0, to: Number.POSITIVE_INFINITY }];
  const failedAt = now();
  const broken: string[] = [];
  const notes: string[] = [];
  for (const [name, ...args] of runs) {
    const from = now();
    const { code, output } = await session.ansible(name, ...args);
    const to = now();
    if (code !== 0) broken.push(`${name} ended with exit status ${code}\n${tail(output)}`);
    const old = live.at(-1);
    if (old) old.to = to;
    live.push({ release: await serving(session, first), from, to: Number.POSITIVE_INFINITY });
    notes.push(`${name} ${((to - from) / 1000).toFixed(0)} s`);
    session.say(`${live.at(-1)?.release} is in service`);
  }
  const overAt = now();
  await pause(session, 1);
  return { failedAt, overAt, notes: [notes.join(", ")], broken: [...broken, ...notLive(session.samples(), live)] };
}

export const deploy: Drill = {
  name: "deploy",
  what: "three deploys in a row (one where CPUs are emulated)",
  limit: 900, // a slow machine has needed 240 s; emulated VMs, which get five times as long, have needed 713 s for one
  anyApp: true,
  budget: {},
  run: (session) => {
    const times = emulated() ? 1 : 3;
    return changes(session, ...Array<[string, ...string[]]>(times).fill(["deploy.yml", ...message(session)]));
  },
};

export const rollback: Drill = {
  name: "rollback",
  what: "a rollback, and forward again",
  limit: 900,
  anyApp: true,
  budget: {},
  prepare: async (session) => {
    const { output } = await session.on(first, `halo-release ${session.app.name} list`);
    if (!/ kept$/m.test(output)) await session.must(playbook("deploy.yml", ...message(session)));
  },
  run: async (session) =>
    changes(
      session,
      ["rollback.yml", ...message(session)],
      ["rollback.yml", ...message(session), "-e", `rollback_to=${await serving(session, first)}`],
    ),
};

/** A way to corrupt a good release, and the words of the deploy that then fails. */
type Corruption = { how: string; reason: string; corrupt: (stage: string) => void };

const corruptions: Corruption[] = [
  {
    how: "crashes at start",
    reason: "corrupt: it crashes",
    corrupt: (stage) => writeFileSync(main(stage), 'throw new Error("corrupt: it crashes");\n'),
  },
  {
    how: "never listens",
    reason: "corrupt: it only waits",
    corrupt: (stage) => writeFileSync(main(stage), textOf(new URL("silent.ts", import.meta.url))),
  },
  {
    how: "answers not ready",
    reason: "corrupt: not ready",
    corrupt: (stage) => writeFileSync(main(stage), textOf(new URL("unready.ts", import.meta.url))),
  },
  {
    how: "reports another version",
    reason: "it answers as release corrupt",
    corrupt: (stage) => writeFileSync(join(stage, "RELEASE"), "corrupt\n"),
  },
  {
    how: "passes as a candidate and crashes in service",
    reason: "corrupt: it crashes in service",
    corrupt: (stage) => appendFileSync(main(stage), inService),
  },
];
const inService = 'if (config.HALO_HOST !== "127.0.0.1") throw new Error("corrupt: it crashes in service");\n';
const main = (stage: string) => join(stage, "app/src/main.ts");

/** The same for any app: its script is the one that its release names. */
const corruptionsOfAny: Corruption[] = [
  {
    how: "crashes at start",
    reason: "corrupt: it crashes",
    corrupt: (stage) => writeFileSync(script(stage), 'throw new Error("corrupt: it crashes");\n'),
  },
  {
    how: "never listens",
    reason: "it never listens on a port",
    corrupt: (stage) => writeFileSync(script(stage), textOf(new URL("silent.ts", import.meta.url))),
  },
  {
    how: "passes as a candidate and crashes in service",
    reason: "corrupt: it crashes in service",
    corrupt: (stage) => appendFileSync(script(stage), inServiceOfAny),
  },
];
// Outside of the module: PM2 only reports what an ES module throws at its top, and the app would go on.
const inServiceOfAny =
  '\nif (process.env.HOST !== "127.0.0.1") setImmediate(() => { throw new Error("corrupt: it crashes in service"); });\n';
function script(stage: string): string {
  const { HALO_START = "", HALO_PATH = "." } = parseEnv(readFileSync(join(stage, "RELEASE.env"), "utf8"));
  return join(stage, HALO_PATH, HALO_START.split(" ").find((word) => !word.startsWith("-")) ?? "");
}

/** A corrupt copy of a good release, as deploy.yml takes it by app_release. */
async function corruptRelease(session: DrillSession, good: string, i: number, { corrupt }: Corruption) {
  const id = `${new Date().toISOString().replace(/[-:]|\.\d+/g, "")}-corrupt${i}`;
  return pack("drill", id, async (stage) => {
    await session.must(["tar", "--extract", "--gzip", "--file", good, "--directory", stage]);
    writeFileSync(join(stage, "RELEASE"), `${id}\n`);
    corrupt(stage);
  });
}

export const bad: Drill = {
  name: "bad-release",
  what: `deploys of a release that ${corruptions.map(({ how }) => how).join(" / ")}`,
  limit: 900,
  anyApp: true,
  budget: {},
  run: async (session) => {
    const { app } = session;
    const before = await serving(session, first);
    const { output } = await session.must([process.execPath, "ops/build.ts", "release", "--app", app.name]);
    // The lines of both streams come in any order.
    const built = JSON.parse(output.split("\n").find((line) => line.startsWith("{")) ?? "");
    const failedAt = now();
    const broken: string[] = [];
    for (const [i, corruption] of (app.source === "." && !app.entry.path ? corruptions : corruptionsOfAny).entries()) {
      const { how, reason } = corruption;
      const app_release = await corruptRelease(session, built.file, i, corruption);
      const vars = JSON.stringify({
        app: app.name,
        app_release,
        app_gate_timeout: 15,
        deploy_message: `drill: ${how}`,
      });
      const run = await session.ansible("deploy.yml", "-e", vars);
      session.say(`a release that ${how}: exit status ${run.code}`);
      if (run.code === 0) broken.push(`a release that ${how} was deployed`);
      if (!run.output.includes(reason))
        broken.push(`the deploy does not say why a release that ${how} failed\n${tail(run.output)}`);
      for (const name of backends)
        if ((await serving(session, name)) !== before)
          broken.push(`${name} did not go back after a release that ${how}`);
    }
    const live = [{ release: before, from: 0, to: Number.POSITIVE_INFINITY }];
    return { failedAt, overAt: now(), broken: [...broken, ...notLive(session.samples(), live)] };
  },
  restore: async () => rmSync(localPath("drill"), { recursive: true, force: true }),
};

export const controller: Drill = {
  name: "controller",
  what: "kill -9 of the controller in the middle of a deploy; the next deploy finishes",
  limit: 600,
  budget: {},
  run: async (session) => {
    const old = await serving(session, first);
    let group = 0;
    const cut = session.sh(
      playbook("deploy.yml", "-e", `app=${session.app.name}`, "-e", "deploy_message=drill: to be killed"),
      {
        started: (pid) => {
          group = pid;
        },
      },
    );
    await session.until("the new release answers", () =>
      session.samples().some(({ release }) => release && release !== old),
    );
    const failedAt = now();
    killGroup(group);
    await cut;
    session.say("the controller was killed in the middle of a deploy");
    await pause(session, 3);
    const next = await session.ansible("deploy.yml", ...message(session));
    session.say(`the next deploy: exit status ${next.code}`);
    const broken: string[] = [];
    if (next.code !== 0) broken.push(`the next deploy ended with exit status ${next.code}\n${tail(next.output)}`);
    if (!next.output.includes("A lock was left behind")) broken.push("the next deploy does not explain the lock");
    const releases = new Set(await Promise.all(backends.map((name) => serving(session, name))));
    if (releases.size !== 1) broken.push(`the backends serve ${[...releases].join(" and ")}`);
    return { failedAt, overAt: now(), broken };
  },
};
