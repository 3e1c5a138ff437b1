import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const ROOT = "/sys/fs/cgroup";

/**
 * The folders of a process's control group (v2) and of its parents, whose limits apply as well; none without cgroup v2.
 * In a container the group's path may begin with folders outside that are not visible.
 *
 * @param groups the text of /proc/PID/cgroup, of this process by default
 */
export function groupFolders(groups = readOwnGroups(), root = ROOT): string[] {
  const parts = groups.match(/^0::\/(.*)$/m)?.[1]?.split("/") ?? [];
  while (parts.length > 0 && !existsSync(join(root, ...parts))) parts.shift();
  const folders: string[] = [];
  for (let folder = join(root, ...parts); folder.startsWith(root); folder = dirname(folder)) folders.push(folder);
  return folders;
}

function readOwnGroups(): string {
  try {
    return readFileSync("/proc/self/cgroup", "utf8");
  } catch {
    return ""; // not Linux
  }
}
