import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Counter, type Registry } from "prom-client";
import { groupFolders } from "./cgroup.ts";

/** How often and for how long, in seconds, the kernel has throttled the groups of these folders; undefined without a usable file. */
export function readThrottling(folders: string[]): { periods: number; seconds: number } | undefined {
  const texts = folders.map((folder) => {
    try {
      return readFileSync(join(folder, "cpu.stat"), "utf8");
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
  const folders = groupFolders();
  const report = (unit: "periods" | "seconds", help: string) =>
    new Counter({
      name: `service_cpu_throttled_${unit}_total`,
      help,
      registers: [registry],
      collect() {
        this.remove();
        const throttled = readThrottling(folders);
        if (throttled) this.inc(throttled[unit]);
      },
    });
  report("periods", "Periods in which a CPU limit of this service's control group, or of a parent, throttled it.");
  report("seconds", "Seconds for which a CPU limit of this service's control group, or of a parent, throttled it.");
}
