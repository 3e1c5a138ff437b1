/** Backends that fail, one or all of them. */
import { findHost } from "../lib/cluster.ts";
import type { Provider } from "../lib/provider.ts";
import type { Drill, Outcome } from "./drills.ts";
import { now } from "./load.ts";
import { answered, backends, cutPower, readyAt, type Scene, steady, vagrant } from "./scene.ts";

const [peer = ""] = backends;
const workers = "-u halo -f app/src/main.ts";
const away = ["BackendDown", "BackendIdle", "NoScrape"];
const vagrants: Provider[] = ["docker", "libvirt", "virtualbox"];
const causes = { alerts: away, hosts: [peer] };

/** The first backend fails, is put right after some seconds, and comes back into rotation. */
async function peerFails(
  scene: Scene,
  fail: () => Promise<{ at: number }>,
  seconds: number,
  mend: () => Promise<unknown> = async () => {},
): Promise<Outcome> {
  const { at: failedAt } = await fail();
  scene.say(`${peer} has failed`);
  await steady(scene, seconds);
  const [ready] = await Promise.all([readyAt(scene, peer), mend()]);
  scene.say(`${peer} is ready again`);
  return { failedAt, peer, readyAt: ready, overAt: await answered(scene, ready, peer) };
}

const up = (scene: Scene) => vagrant(scene, "up", peer);

export const worker: Drill = {
  name: "worker",
  what: "kill -9 of a backend's PM2 workers",
  limit: 60,
  budget: {},
  causes,
  run: (scene) => peerFails(scene, () => scene.on(peer, `echo; pkill -KILL ${workers}`), 0),
};

export const halt: Drill = {
  name: "halt",
  what: "vagrant halt of a backend, then vagrant up",
  limit: 120,
  budget: { back: 15 },
  causes,
  providers: vagrants,
  run: async (scene) => {
    const at = now();
    const halted = async () => {
      await vagrant(scene, "halt", peer);
      return { at };
    };
    return peerFails(scene, halted, 1, () => up(scene));
  },
  restore: up,
};

export const power: Drill = {
  name: "power",
  what: "power cut of a backend, then vagrant up",
  limit: 120,
  budget: { slowest: 2500 },
  causes,
  providers: vagrants,
  run: (scene) =>
    peerFails(
      scene,
      () => cutPower(scene, peer),
      5,
      () => up(scene),
    ),
  restore: up,
};

const ssh = Number(findHost(peer).vars.ansible_port ?? 22);
const heal = "nft delete table inet halo_drill 2>/dev/null || true";

export const blackhole: Drill = {
  name: "blackhole",
  what: "a backend's network drops every packet, then heals",
  limit: 90,
  budget: { slowest: 2500, probe: 3 },
  causes,
  mend: { on: [peer], script: heal },
  run: (scene) =>
    peerFails(
      scene,
      () =>
        scene.on(
          peer,
          `nft --file - <<'NFT'
table inet halo_drill {
  chain in { type filter hook input priority -300; policy drop; iif lo accept; tcp dport ${ssh} accept; }
  chain out { type filter hook output priority -300; policy drop; oif lo accept; tcp sport ${ssh} accept; }
}
NFT`,
        ),
      9,
      () => scene.on(peer, heal),
    ),
};

const thaw = `pkill -CONT ${workers} || true`;

export const freeze: Drill = {
  name: "freeze",
  what: "a backend's workers are stopped (SIGSTOP), then continued",
  limit: 90,
  budget: { slowest: 4000 },
  causes,
  mend: { on: [peer], script: thaw },
  run: (scene) =>
    peerFails(
      scene,
      () => scene.on(peer, `echo; pkill -STOP ${workers}`),
      9,
      () => scene.on(peer, thaw),
    ),
};

export const both: Drill = {
  name: "both",
  what: "every backend stopped, then started",
  limit: 90,
  budget: { refusals: "nginx", back: 3 },
  causes: { alerts: [...away, "SiteErrors", "SiteErrorsCritical"], hosts: [...backends, ""] },
  mend: { on: backends, script: "systemctl start halo" },
  run: async (scene) => {
    const failedAt = now();
    await Promise.all(backends.map((name) => scene.on(name, "systemctl stop halo")));
    scene.say("every backend is stopped");
    await steady(scene, 3);
    const starts = Promise.all(backends.map((name) => scene.on(name, "systemctl start halo")));
    const ready = Promise.all(backends.map((name) => readyAt(scene, name)));
    const [times] = await Promise.all([ready, starts]);
    const first = Math.min(...times);
    const overAt = await answered(scene, first);
    await Promise.all(backends.map((name) => answered(scene, first, name)));
    return { failedAt, overAt, readyAt: first };
  },
};
