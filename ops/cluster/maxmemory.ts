import { shellScript } from "../lib/script.ts";

const script = (action: "keep" | "reach" | "restore") => shellScript(new URL("maxmemory.sh", import.meta.url), action);

/** Scripts for Redis' host: keep maxmemory for later, reach it, and restore it; the last one may run at any time. */
export const maxmemory = { keep: script("keep"), reach: script("reach"), restore: script("restore") };
