/**
 * Example data for the workshop as SQL, so that the database makes its rows itself: each is a function of the seed and
 * its number, and its id says whose it is.
 */
import { sqlScript } from "../lib/script.ts";

/** The rows to make: rows of the customers numbered from...to (from 1), as seen at `now`. */
export type Batch = { seed: number; from: number; to: number; now: Date };

/** A seed has the ids from this, times the seed, on: the ids that the service gives will not come near. */
const IDS = 1_000_000_000;
/** The id of a seed's first customer, vehicle and service. */
export const firstId = (seed: number): number => seed * IDS + 1;
/** The seeds may be 1 to this, and the customers of one at most MAX_CUSTOMERS; else there would not be enough plates. */
export const MAX_SEED = 80;
export const MAX_CUSTOMERS = 1_000_000;

const script = (name: string, variables: Record<string, number | string>) =>
  sqlScript(new URL(name, import.meta.url), variables);

/** SQL that adds the missing rows of one batch; its INSERTs are of customers, vehicles and services. */
export const addScript = ({ seed, from, to, now }: Batch): string =>
  script("words.sql", {}) +
  script("add.sql", { seed, base: seed * IDS, most: MAX_CUSTOMERS, from, to, now: now.toISOString() });

/** SQL that removes one batch again; its DELETEs are of services, vehicles and customers. */
export const removeScript = ({ seed, from, to }: Omit<Batch, "now">): string =>
  script("remove.sql", { base: seed * IDS, from, to });

/** SQL that gives the number of a seed's customers, and the highest number among them, or 0. */
export const countScript = (seed: number): string => script("count.sql", { base: seed * IDS, next: (seed + 1) * IDS });
