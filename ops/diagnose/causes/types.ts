import type { Snapshot } from "../snapshot.ts";

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
  "starvation",
  "timeouts",
  "uneven",
] as const;
export type CauseName = (typeof causeNames)[number];

/** A cause that applies, on one host or for all. */
export type Evidence = {
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
  /** Commands; HOST is the evidence's host, APP, UNIT and USER are the app's, DATABASE and BALANCER the first of their group. */
  next: string[];
  /** Causes that explain it, on the same host or anywhere. */
  explainedBy: Partial<Record<CauseName, "here" | "anywhere">>;
  detect: (s: Snapshot) => Evidence[];
};
