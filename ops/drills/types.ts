import type { App } from "../cluster/apps.ts";
import type { Undo } from "../cluster/failsafe.ts";
import type { Provider } from "../cluster/provider.ts";
import type { Session } from "../cluster/session.ts";
import type { Sample } from "../loadgen/sample.ts";
import type { Budget } from "./budget.ts";

/** A session with a drill's loads under way. */
export type DrillSession = Session & {
  /** The app that the drill is about. */
  app: App;
  /** Whether its requests go by https. */
  secure: boolean;
  /** The requests that have ended so far, of all loads of visits. */
  samples(): Sample[];
  /** The same of the load of writes. */
  writes(): Sample[];
};

/** A drill's observations of the failure that it caused. Times are of the loads' clock. */
export type Outcome = {
  failedAt: number;
  /** When all was well again. */
  overAt: number;
  /** The backend that failed, if it was one, and when it was ready again. */
  backend?: string;
  readyAt?: number;
  /** Remarks, and the bounds that did not hold. */
  notes?: string[];
  broken?: string[];
  /** Whether a request may be lost here; such losses are counted and stated. */
  mayLose?: (sample: Sample) => boolean;
  /** Visits besides those of the drill's own load. */
  others?: { acknowledged: number; attempted: number };
  /** When PostgreSQL was away: writes may be refused then. */
  away?: { from: number; to: number }[];
};

/** A failure, its budget meanwhile, and the way to undo it. */
export type Drill = {
  name: string;
  what: string;
  /** Seconds that it may take, load included, on containers; VMs get five times as long. */
  limit: number;
  /** Whether it can be about an app that knows nothing of Halo (--app). */
  anyApp?: boolean;
  budget: Budget;
  /** With a second load beside the usual one: a new connection for each request. */
  fresh?: boolean;
  /** Its requests go by https, with a certificate of the local CA. */
  https?: boolean;
  /** With a load of writes beside it, each of which has to be one row in the end. */
  writes?: boolean;
  /** The alerts that it causes, of these hosts ("": of the site as a whole). They are silenced while it lasts. */
  causes?: { alerts: string[]; hosts: string[] };
  /** Where it can be done, if not everywhere. */
  providers?: Provider[];
  /** Before the load starts. */
  prepare?: (session: DrillSession) => Promise<unknown>;
  run: (session: DrillSession) => Promise<Outcome>;
  /** The hosts run it by themselves should this process be killed. */
  undo?: Undo;
  /** Undoes the part that a host cannot undo by itself. */
  restore?: (session: Session) => Promise<unknown>;
};
