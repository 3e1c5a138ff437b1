/** Backends that fail, one or all of them. */
import { findHost } from "../cluster/hosts.ts";
import type { Provider } from "../cluster/provider.ts";
import { pause, type Session } from "../cluster/session.ts";
import { counterApp } from "../cluster/sites.ts";
import { backends } from "../cluster/topology.ts";
import { now } from "../lib/clock.ts";
import { shellScript } from "../lib/script.ts";
import { isVisit, type Sample } from "../loadgen/sample.ts";
import { cutPower, readyAt, untilAnswered, vagrant } from "./steps.ts";
import type { Drill, DrillSession, Outcome } from "./types.ts";

const [backend = ""] = backends;
const { unit, workers } = counterApp();
const away = ["BackendDown", "BackendIdle", "NoScrape", "AppDown"];
const vagrants: Provider[] = ["docker", "libvirt", "virtualbox"];
const causes = { alerts: away, hosts: [backend] };

type Failing = [fail: () => Promise<{ at: number }>, seconds: number, undo?: () => Promise<unknown>];

/** The first backend fails (between failedAt and deadAt), is put right after some seconds, and comes back into rotation. */
async function backendFails(
  session: DrillSession,
  ...[fail, seconds, undo = async () => {}]: Failing
): Promise<Outcome & { deadAt: number }> {
  const { at: failedAt } = await fail();
  const deadAt = now();
  session.say(`${backend} has failed`);
  await pause(session, seconds);
  const [ready] = await Promise.all([readyAt(session, backend), undo()]);
  session.say(`${backend} is ready again`);
  return { failedAt, deadAt, backend, readyAt: ready, overAt: await untilAnswered(session, ready, backend) };
}

/**
 * The same where no POST on its way to the backend can be saved: nginx sends it to no other one. It leaves the backend alone after its
 * first timeout, 2 s.
 */
async function backendDies(session: DrillSession, ...how: Failing): Promise<Outcome> {
  const { deadAt, ...outcome } = await backendFails(session, ...how);
  const mayLose = ({ post, at, ms }: Sample) => post === true && at + ms >= outcome.failedAt && at < deadAt + 2500;
  const lost = session.samples().filter((sample) => mayLose(sample) && !isVisit(sample)).length;
  return { ...outcome, mayLose, notes: lost > 0 ? [`${lost} POSTs on their way to ${backend} were lost`] : [] };
}

const up = (session: Session) => vagrant(session, "up", backend);

export const worker: Drill = {
  name: "worker",
  what: "kill -9 of a backend's PM2 workers",
  limit: 60,
  anyApp: true,
  budget: {},
  causes,
  run: (session) => backendDies(session, () => session.on(backend, `echo; pkill -KILL ${session.app.workers}`), 0),
};

export const halt: Drill = {
  name: "halt",
  what: "vagrant halt of a backend, then vagrant up",
  limit: 120,
  anyApp: true,
  budget: { back: 15 },
  causes,
  providers: vagrants,
  run: async (session) => {
    const at = now();
    const halted = async () => {
      await vagrant(session, "halt", backend);
      return { at };
    };
    return backendFails(session, halted, 1, () => up(session));
  },
  restore: up,
};

export const power: Drill = {
  name: "power",
  what: "power cut of a backend, then vagrant up",
  limit: 120,
  anyApp: true,
  budget: { slowest: 2500 },
  causes,
  providers: vagrants,
  run: (session) =>
    backendDies(
      session,
      () => cutPower(session, backend),
      5,
      () => up(session),
    ),
  restore: up,
};

const ssh = Number(findHost(backend).vars.ansible_port ?? 22);
const heal = "nft delete table inet halo_drill 2>/dev/null || true";

export const blackhole: Drill = {
  name: "blackhole",
  what: "a backend's network drops every packet, then heals",
  limit: 90,
  budget: { slowest: 2500, probe: 3 },
  causes,
  undo: { on: [backend], script: heal },
  run: (session) =>
    backendFails(
      session,
      () => session.on(backend, shellScript(new URL("isolate.sh", import.meta.url), ssh)),
      9,
      () => session.on(backend, heal),
    ),
};

const thaw = `pkill -CONT ${workers} || true`;

export const freeze: Drill = {
  name: "freeze",
  what: "a backend's workers are stopped (SIGSTOP), then continued",
  limit: 90,
  budget: { slowest: 4000 },
  causes,
  undo: { on: [backend], script: thaw },
  run: (session) =>
    backendFails(
      session,
      () => session.on(backend, `echo; pkill -STOP ${workers}`),
      9,
      () => session.on(backend, thaw),
    ),
};

export const both: Drill = {
  name: "both",
  what: "every backend stopped, then started",
  limit: 90,
  budget: { refusals: "nginx", back: 3 },
  causes: { alerts: [...away, "SiteErrors", "SiteErrorsCritical"], hosts: [...backends, ""] },
  undo: { on: backends, script: `systemctl start ${unit}` },
  run: async (session) => {
    const failedAt = now();
    await Promise.all(backends.map((name) => session.on(name, `systemctl stop ${unit}`)));
    session.say("every backend is stopped");
    await pause(session, 3);
    const starts = Promise.all(backends.map((name) => session.on(name, `systemctl start ${unit}`)));
    const ready = Promise.all(backends.map((name) => readyAt(session, name)));
    const [times] = await Promise.all([ready, starts]);
    const first = Math.min(...times);
    const overAt = await untilAnswered(session, first);
    await Promise.all(backends.map((name) => untilAnswered(session, first, name)));
    return { failedAt, overAt, readyAt: first };
  },
};
