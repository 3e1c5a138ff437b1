/** The work of an `npm run scale` that was cut short. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { UserError } from "../lib/cli.ts";
import { localPath } from "../lib/paths.ts";
import { type Host, inventoryFile } from "./inventory.ts";

type Hosts = Record<string, Host["vars"]>;

/**
 * The work as a file keeps it. The file is an inventory as well, of every machine that the run makes or destroys: Vagrant knows a
 * machine by its inventory alone, and the one in use names some of them no longer.
 */
export type Unfinished = {
  /** The inventory in use. */
  inventory: string;
  coming: string[];
  drained: string[];
  /** With the balancers, because Vagrant accepts no inventory without. */
  all: { children: { balancers: { hosts: Hosts }; backends: { hosts: Hosts } } };
};

/** The file that keeps it; missing while nothing is unfinished. */
export const unfinishedFile = localPath("scale.json");

const read = (): Unfinished | undefined =>
  existsSync(unfinishedFile) ? JSON.parse(readFileSync(unfinishedFile, "utf8")) : undefined;

/** The work of a run that was cut short; throws a UserError where that had another inventory. */
export function unfinished(): Unfinished | undefined {
  const before = read();
  if (!before || before.inventory === inventoryFile) return before;
  throw new UserError(
    `npm run scale was cut short with another inventory, ${before.inventory}`,
    `finish it first, with HALO_INVENTORY=${before.inventory}; or remove .halo/scale.json`,
  );
}

/** The machines that a run which was cut short has made, or has still to destroy. */
export const machinesOfUnfinished = (): string[] => Object.keys(read()?.all.children.backends.hosts ?? {});

/** The problem and its fix, where a run was cut short. */
export function unfinishedProblem(): { found: string; hint: string } | undefined {
  const machines = machinesOfUnfinished();
  if (machines.length === 0) return;
  return {
    found: `npm run scale was cut short while it worked on ${machines.join(", ")}`,
    hint: "npm run scale -- backends=N, with the number of backends to have, finishes it",
  };
}

/** Prints it. */
export function sayUnfinished(): void {
  const problem = unfinishedProblem();
  if (problem) console.log(`Note: ${problem.found}. Fix: ${problem.hint}`);
}

/** Keeps it by one rename, because this run may be cut short here as well. */
export function keepUnfinished(work: Unfinished): void {
  mkdirSync(localPath(), { recursive: true });
  writeFileSync(`${unfinishedFile}.new`, JSON.stringify(work, null, 2));
  renameSync(`${unfinishedFile}.new`, unfinishedFile);
}

export const forgetUnfinished = (): void => rmSync(unfinishedFile, { force: true });
