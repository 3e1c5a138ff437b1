import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Counter, type Registry } from "prom-client";

const ROOT = "/sys/fs/cgroup";

/**
 * The cpu.stat of a process's control group (v2) and of the groups above it, whose limits count as well; none where there
 * is no such hierarchy. In a container the group's path may begin with what is outside and cannot be seen.
 *
 * @param groups what /proc/PID/cgroup says
 */
export function cpuStats(groups: string, root = ROOT): string[] {
  const parts = groups.match(/^0::\/(.*)$/m)?.[1]?.split("/") ?? [];
  while (parts.length > 0 && !existsSync(join(root, ...parts))) parts.shift();
  const files: string[] = [];
  for (let folder = join(root, ...parts); folder.startsWith(root); folder = dirname(folder))
    files.push(join(folder, "cpu.stat"));
  return files;
}

/** How often and how long (s) the kernel has held processes back; undefined where no file says so. */
export function readThrottling(files: string[]): { periods: number; seconds: number } | undefined {
  const texts = files.map((file) => {
    try {
      return readFileSync(file, "utf8");
    } catch {
      return ""; // not there, or not for us
    }
  });
  const found = texts.flatMap((text) => [...text.matchAll(/^nr_throttled (\d+)\nthrottled_usec (\d+)$/gm)]);
  if (found.length === 0) return undefined;
  const sum = (i: number) => found.reduce((total, match) => total + Number(match[i]), 0);
  return { periods: sum(1), seconds: sum(2) / 1e6 };
}

/** Reports the throttling of this process's control group and of those above it, added up. */
export function watchThrottling(registry: Registry): void {
  const files = cpuStats(readOwnGroups());
  const report = (what: "periods" | "seconds", help: string) =>
    new Counter({
      name: `service_cpu_throttled_${what}_total`,
      help,
      registers: [registry],
      collect() {
        this.remove();
        const throttled = readThrottling(files);
        if (throttled) this.inc(throttled[what]);
      },
    });
  report("periods", "Periods in which a CPU limit of this service's control group, or of one above it, held it back.");
  report("seconds", "Time for which a CPU limit of this service's control group, or of one above it, held it back.");
}

function readOwnGroups(): string {
  try {
    return readFileSync("/proc/self/cgroup", "utf8");
  } catch {
    return ""; // not Linux
  }
}
