import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Gauge, type Registry } from "prom-client";
import { groupFolders } from "./cgroup.ts";

/** A number of bytes of a control group, which is all of a file or behind a word in it; undefined without it, and for "max". */
export function readBytes(folder: string, file: string, word = ""): number | undefined {
  try {
    const found = readFileSync(join(folder, file), "utf8").match(new RegExp(`^${word} ?(\\d+)$`, "m"));
    return found ? Number(found[1]) : undefined;
  } catch {
    return undefined;
  }
}

/** Exports the memory of this process's control group, which all workers share, and its limit. */
export function watchMemory(registry: Registry): void {
  const [folder] = groupFolders();
  if (folder === undefined) return;
  const report = (name: string, help: string, ...place: [file: string, word?: string]) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.remove();
        const bytes = readBytes(folder, ...place);
        if (bytes !== undefined) this.set(bytes);
      },
    });
  // The kernel takes back what caches files.
  report("service_memory_bytes", "Memory of this service's processes, without cached files.", "memory.stat", "anon");
  report("service_memory_limit_bytes", "The memory that this service's processes may take.", "memory.max");
}
