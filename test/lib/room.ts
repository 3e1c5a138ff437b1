import { readFileSync } from "node:fs";
import { join } from "node:path";
import { viaLab } from "../../ops/cluster/hosts.ts";
import { existingProvider } from "../../ops/cluster/provider.ts";
import { root } from "../../ops/lib/paths.ts";
import { backends, must } from "./hosts.ts";
import { changedInventory, committed } from "./inventory.ts";

/**
 * Gives the backends more memory than is committed, for more apps: in an inventory of the test's own in this folder, and where they are
 * containers for real.
 *
 * @returns the environment of commands that are to know it, and a function that takes the memory back
 */
export async function makeRoom(folder: string, mebibytes: number) {
  const env = changedInventory(folder, "inventory", (text) =>
    text.replaceAll(/(backend\d: .*memory:) \d+/g, `$1 ${mebibytes}`),
  );
  const give = async (of: (host: string) => number): Promise<void> => {
    if (existingProvider() !== "docker") return;
    for (const host of backends) {
      const id = readFileSync(join(root, `.vagrant/machines/${host}/docker/id`), "utf8").trim();
      const memory = `${of(host)}m`;
      await must(viaLab(["docker", "update", "--memory", memory, "--memory-swap", memory, id]));
    }
  };
  await give(() => mebibytes);
  return {
    env,
    takeBack: () => give((host) => Number(committed.match(new RegExp(`${host}: .*memory: (\\d+)`))?.[1])),
  };
}
