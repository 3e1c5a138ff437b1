import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

/** The key that holds the number of visits. */
export const TOTAL_KEY = "total_visits";

const source = readFileSync(new URL("count.lua", import.meta.url), "utf8");

/** The Redis function that counts, and its library. Each version of count.lua has its own, so releases work side by side. */
export const COUNT_FUNCTION = `count_${createHash("sha256").update(source).digest("hex").slice(0, 12)}`;

/** What FUNCTION LOAD takes; on the hosts `halo-redis-cli load-functions` makes the same of the file. */
export const COUNT_LIBRARY = `#!lua name=${COUNT_FUNCTION}\nlocal name = '${COUNT_FUNCTION}'\n${source}`;

/**
 * The digits of a request's id by which Redis remembers it: 80 random bits. A visit meets another one's among the 150,000
 * of ten busy seconds once in 10^18, and the append-only file is a quarter shorter than with all 32.
 */
export const idInRedis = (id: string): string => id.slice(0, 20);
