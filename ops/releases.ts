/** Every release that a backend has, newest first: where it serves, whether it failed, who deployed it and why. */
import { spawnSync } from "node:child_process";
import { ssh } from "./lib/cluster.ts";
import { command } from "./lib/problem.ts";
import { type Host, inGroup } from "./lib/project.ts";
import { readLog, releaseTable } from "./lib/releases.ts";

/** A command's output on a host, or null where it cannot be reached. */
function on(host: Host, line: string): string | null {
  const [file = "", ...args] = ssh(host, "sudo", "sh", "-c", `'${line}'`);
  const { status, stdout } = spawnSync(file, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  return status === 0 ? stdout : null;
}

await command(() => {
  const [balancer] = inGroup("balancers");
  const log = balancer && on(balancer, "cat /var/lib/halo-cluster/deploys.log 2>/dev/null || true");
  const { lines, torn } = readLog(log ?? "");
  const backends = inGroup("backends").map((host) => ({ name: host.name, list: on(host, "halo-release list") }));
  console.log(releaseTable(lines, backends));
  if (torn > 0)
    console.log(
      `Left out: ${torn} line${torn > 1 ? "s" : ""} of /var/lib/halo-cluster/deploys.log on ${balancer?.name} that cannot be read`,
    );
  const away = backends.filter(({ list }) => list === null).map(({ name }) => name);
  if (log === null) away.push("the balancer, which has the log");
  if (away.length > 0) console.log(`Not asked, because unreachable: ${away.join(", ")}`);
});
