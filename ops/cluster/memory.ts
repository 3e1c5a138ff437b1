import { readFileSync } from "node:fs";
import { freemem } from "node:os";
import type { Provider } from "./provider.ts";

/** GiB of memory that this machine can spare: the kernel's MemAvailable where it is reported, for free memory leaves out the page cache. */
export function freeMemory(): number {
  const free = freemem() / 1024 ** 3;
  if (process.platform !== "linux") return free;
  const kib = readFileSync("/proc/meminfo", "utf8").match(/MemAvailable:\s+(\d+)/)?.[1];
  return kib === undefined ? free : Number(kib) / 1024 ** 2;
}

/**
 * The free memory that this machine needs for the hosts, in GiB, and the way to get it. A VM takes all of its memory, and the
 * machine under it 1 GiB more. A container takes the memory of its processes only: measured 1.3 GiB of the 3 in the inventory.
 */
export function memoryFor(provider: Provider | undefined, inventory: number): { needed: number; hint: string } {
  if (provider === "docker") {
    const needed = inventory / 2;
    return { needed, hint: `the containers need about ${needed.toFixed(1)} GiB: close other programs` };
  }
  return {
    needed: inventory + 1,
    hint: `the hosts want ${inventory.toFixed(1)} GiB and this machine 1 more: close something, or give the hosts less in the inventory`,
  };
}
