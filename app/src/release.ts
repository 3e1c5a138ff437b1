import { readFileSync } from "node:fs";

/** The id of the release that this process runs: RELEASE beside package.json, "dev" in a checkout. */
export function readRelease(file: URL = new URL("../../RELEASE", import.meta.url)): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "dev";
    throw error;
  }
}
