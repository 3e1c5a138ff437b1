import type { Provider } from "../lib/provider.ts";
import { blackhole, both, freeze, halt, power, worker } from "./backends.ts";
import { nginx, overload, powerOfBalancer, reload } from "./front.ts";
import type { Shot } from "./load.ts";
import { bad, controller, deploy, rollback } from "./releases.ts";
import type { Scene } from "./scene.ts";
import { disk, memory, postgresKills, redisKills } from "./state.ts";
import type { Budget } from "./tally.ts";

/** What a drill saw of the failure that it caused. Times are of the loads' clock. */
export type Outcome = {
  failedAt: number;
  /** When all was well again. */
  overAt: number;
  /** The backend that failed, if it was one, and when it was ready again. */
  peer?: string;
  readyAt?: number;
  /** What is worth saying, and what did not hold. */
  notes?: string[];
  broken?: string[];
  /** Whether a request may be lost here; such losses are counted and stated. */
  mayLose?: (shot: Shot) => boolean;
  /** Visits besides those of the drill's own load. */
  others?: { acknowledged: number; attempted: number };
  /** When PostgreSQL was away: writes may be refused then. */
  away?: { from: number; to: number }[];
};

/** A failure, what must hold meanwhile, and how everything is put back. */
export type Drill = {
  name: string;
  what: string;
  /** Seconds that it may take, load included, on containers; VMs get five times as long. */
  limit: number;
  budget: Budget;
  /** With a second load beside the usual one: a new connection for each request. */
  fresh?: boolean;
  /** With a load of writes beside it, each of which has to be one row in the end. */
  writes?: boolean;
  /** The alerts that it causes, of these hosts ("": of the site as a whole). They are silenced while it lasts. */
  causes?: { alerts: string[]; hosts: string[] };
  /** Where it can be done, if not everywhere. */
  providers?: Provider[];
  /** Before the load starts. */
  prepare?: (scene: Scene) => Promise<unknown>;
  run: (scene: Scene) => Promise<Outcome>;
  /** A script that puts these hosts right and harms nothing where they are; they run it by themselves if nobody does. */
  mend?: { on: string[]; script: string };
  /** What cannot be put right from inside a host. */
  restore?: (scene: Scene) => Promise<unknown>;
};

/** Every drill, in the order in which `npm run drill` runs them. */
export const drills: Drill[] = [
  worker,
  halt,
  power,
  blackhole,
  freeze,
  redisKills,
  postgresKills,
  both,
  deploy,
  rollback,
  bad,
  controller,
  reload,
  nginx,
  disk,
  memory,
  overload,
  powerOfBalancer,
];
