import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { inventoryFile } from "../../ops/cluster/inventory.ts";

/** The inventory of the project. */
export const committed = readFileSync(inventoryFile, "utf8");

/** Writes the project's inventory, changed, into a folder; returns the environment by which every command uses it. */
export function changedInventory(folder: string, name: string, change: (text: string) => string) {
  const file = join(folder, `${name}.yml`);
  const text = change(committed);
  expect(text).not.toBe(committed);
  writeFileSync(file, text);
  return { HALO_INVENTORY: file };
}
