import { on } from "./hosts.ts";

/** Asks all of these apps five times a second each while the work runs; resolves with the answers that are no 200, by app. */
export async function watched(
  apps: string[],
  ask: (app: string) => Promise<{ status: number }>,
  work: () => Promise<unknown>,
): Promise<string[]> {
  let running = true;
  let count = 0;
  const bad: string[] = [];
  const watch = async (name: string) => {
    while (running) {
      const { status } = await ask(name).catch((error) => ({ status: String(error) }));
      count++;
      if (status !== 200) bad.push(`${name}: ${status}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  };
  const all = Promise.all(apps.map(watch));
  try {
    await work();
  } finally {
    running = false;
    await all;
  }
  console.log(`${apps.join(", ")}: ${count} requests, ${bad.length} failed`);
  return bad;
}

/** Changes each time the kernel ends a process of the app on the host for its memory, also where its unit starts again. */
export const memoryKills = (host: string, app: string): Promise<string> =>
  on(
    host,
    `journalctl --quiet --unit=halo@${app} --grep='killed by the OOM killer' | wc -l; systemctl show --property=NRestarts --value halo@${app}; cat /sys/fs/cgroup$(systemctl show --property=ControlGroup --value halo@${app})/memory.events | sed -n 's/^oom_kill //p'`,
  );
