/** The work of a run, which the next run finishes where it was cut short. */
import { type Host, inventoryFile, parseInventory } from "../cluster/inventory.ts";
import type { Unfinished } from "../cluster/unfinished.ts";
import type { Plan } from "./plan.ts";

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
  const varsOf = (some: Host[]) => Object.fromEntries(some.map(({ name, vars }) => [name, vars]));
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
