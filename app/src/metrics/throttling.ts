import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Counter, type Registry } from "prom-client";

const ROOT = "/sys/fs/cgroup";

/**
 * The cpu.stat files of a process's control group (v2) and of its parents, whose limits apply as well; none without cgroup v2.
 * In a container the group's path may begin with folders outside that are not visible.
 *
 * @param groups the text of /proc/PID/cgroup
 */
export function cpuStats(groups: string, root = ROOT): string[] {
  const parts = groups.match(/^0::\/(.*)$/m)?.[1]?.split("/") ?? [];
  while (parts.length > 0 && !existsSync(join(root, ...parts))) parts.shift();
  const files: string[] = [];
  for (let folder = join(root, ...parts); folder.startsWith(root); folder = dirname(folder))
    files.push(join(folder, "cpu.stat"));
  return files;
}

/** How often and for how long, in seconds, the kernel has throttled the processes; undefined without a usable file. */
export function readThrottling(files: string[]): { periods: number; seconds: number } | undefined {
  const texts = files.map((file) => {
    try {
      return readFileSync(file, "utf8");
    } catch {
      return ""; // it does not exist, or is not readable
    }
  });
  const found = texts.flatMap((text) => [...text.matchAll(/^nr_throttled (\d+)\nthrottled_usec (\d+)$/gm)]);
  if (found.length === 0) return undefined;
  const sum = (i: number) => found.reduce((total, match) => total + Number(match[i]), 0);
  return { periods: sum(1), seconds: sum(2) / 1e6 };
}

/** Exports the throttling of this process's control group and its parents, added up. */
export function watchThrottling(registry: Registry): void {
  const files = cpuStats(readOwnGroups());
  const report = (unit: "periods" | "seconds", help: string) =>
    new Counter({
      name: `service_cpu_throttled_${unit}_total`,
      help,
      registers: [registry],
      collect() {
        this.remove();
        const throttled = readThrottling(files);
        if (throttled) this.inc(throttled[unit]);
      },
    });
  report("periods", "Periods in which a CPU limit of this service's control group, or of a parent, throttled it.");
  report("seconds", "Seconds for which a CPU limit of this service's control group, or of a parent, throttled it.");
}

function readOwnGroups(): string {
  try {
    return readFileSync("/proc/self/cgroup", "utf8");
  } catch {
    return ""; // not Linux
  }
}
