import { isAvailable, redisOf, type View } from "../readings.ts";
import type { Redis, RedisServer, Snapshot, Store } from "../snapshot.ts";

export const causeNames = [
  "backend-down",
  "redis-down",
  "database-down",
  "database-login",
  "disk",
  "redis-data",
  "redis-replica",
  "redis-memory",
  "redis-persistence",
  "connections",
  "cpu",
  "slow-queries",
  "leak",
  "memory",
  "starvation",
  "unhealthy",
  "timeouts",
  "uneven",
  "certificate",
] as const;
export type CauseName = (typeof causeNames)[number];

/** A cause that applies, on one host or for all. */
export type Evidence = {
  /** The app that it is about; undefined where it is about the host, or about a store of all. */
  app?: string | undefined;
  host?: string;
  /** Values with their bounds, a sentence each. */
  evidence: string[];
  /** Since when, in seconds since 1970; undefined where nobody knows. */
  since?: number | undefined;
  /** Nothing else explains this one. */
  isRootCause?: boolean;
  /** Commands for exactly this, instead of the cause's. */
  next?: string[];
};

/** A cause: its name, its fix, and the causes of which it is only the consequence. */
export type Cause = {
  title: string;
  /** Section of docs/runbook.md. */
  runbook: string;
  /**
   * Commands; HOST is the evidence's host, APP, UNIT and USER are the app's, those with REDIS its Redis' or else the shared one's,
   * DATABASE and BALANCER the first of their group.
   */
  next: string[];
  /** Causes that explain it, on the same host or anywhere. */
  explainedBy: Partial<Record<CauseName, "here" | "anywhere">>;
  /** It is about this store: it explains no symptom of an app without one. */
  store?: Store;
  /** Where all apps of a host have it, the host has it. */
  ofHost?: boolean;
  detect: (s: Snapshot) => Evidence[];
};

/** Stores that cannot serve: an app that needs one fails, or ends itself. */
export const failedStores = {
  "redis-down": "anywhere",
  "redis-data": "anywhere",
  "redis-replica": "anywhere",
  "redis-memory": "anywhere",
  "database-down": "anywhere",
  "database-login": "anywhere",
  connections: "anywhere",
} as const;

/** Judges each app by itself; the evidence is about it. */
export const eachApp =
  (detect: (s: View) => Evidence[]) =>
  (s: Snapshot): Evidence[] =>
    s.apps.flatMap((app) => detect({ ...s, app }).map((evidence) => ({ app: app.name, ...evidence })));

/** Judges each Redis that has reported; the evidence is about it. */
export const eachRedis =
  (detect: (redis: Redis, server: RedisServer, s: Snapshot, host: string) => Omit<Evidence, "host" | "app">[]) =>
  (s: Snapshot): Evidence[] =>
    redisOf(s).flatMap(({ host, server, redis }) =>
      isAvailable(redis)
        ? detect(redis, server, s, host).map((evidence) => ({ app: server.app, host, ...evidence }))
        : [],
    );
