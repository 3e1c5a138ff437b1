/** The work of a run, which the next run finishes where it was cut short. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { type Host, inventoryFile, parseInventory } from "../cluster/inventory.ts";
import { UserError } from "../lib/cli.ts";
import { localPath } from "../lib/paths.ts";
import type { Plan } from "./plan.ts";

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

/** The backends by the work that they need. */
export type Work = {
  /** To be drained before the inventory changes. */
  draining: string[];
  /** To be booted. */
  coming: string[];
  /** To be destroyed. */
  leaving: string[];
  /** Drained, by this run or one that was cut short, and to stay. */
  returning: string[];
  unfinished: Unfinished;
};

/** The work of a plan, and of a run before it that was cut short. */
export function workOf({ text, added, removed }: Plan, before?: Unfinished): Work {
  const hosts = parseInventory(text);
  const named = (name: string) => hosts.some((host) => host.name === name);
  const varsOf = (some: Host[]): Hosts => Object.fromEntries(some.map(({ name, vars }) => [name, vars]));
  const together = (earlier: string[] | undefined, now: string[]) => [...new Set([...(earlier ?? []), ...now])];
  const namesOf = (some: Host[]) => some.map(({ name }) => name);
  const coming = together(before?.coming, namesOf(added)).filter(named);
  // A drain writes nginx's configuration by an inventory that names backends which may never have served.
  const draining = removed.length > 0 ? [...namesOf(removed), ...coming] : [];
  const drained = together(before?.drained, draining);
  const machines = { ...before?.all.children.backends.hosts, ...varsOf([...added, ...removed]) };
  const balancers = varsOf(hosts.filter(({ groups }) => groups.includes("balancers")));
  return {
    draining,
    coming,
    leaving: Object.keys(machines).filter((name) => !named(name)),
    returning: drained.filter(named),
    unfinished: {
      inventory: inventoryFile,
      coming,
      drained,
      all: { children: { balancers: { hosts: balancers }, backends: { hosts: machines } } },
    },
  };
}

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

/** Keeps it by one rename, because this run may be cut short here as well. */
export function keepUnfinished(work: Unfinished): void {
  mkdirSync(localPath(), { recursive: true });
  writeFileSync(`${unfinishedFile}.new`, JSON.stringify(work, null, 2));
  renameSync(`${unfinishedFile}.new`, unfinishedFile);
}

export const forgetUnfinished = (): void => rmSync(unfinishedFile, { force: true });
