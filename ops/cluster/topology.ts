/** The hosts' names by their tasks. Importing this file reads the inventory, and throws a UserError where that is wrong. */
import { inGroup } from "./inventory.ts";

export const balancer = inGroup("balancers")[0]?.name ?? "";
export const redis = inGroup("redis")[0]?.name ?? "";
export const postgres = inGroup("postgres")[0]?.name ?? "";
/** Undefined where nothing is measured. */
export const monitoring = inGroup("monitoring")[0]?.name;
export const backends: string[] = inGroup("backends").map(({ name }) => name);
