import { join, resolve } from "node:path";

/** The project's root folder. */
export const root = resolve(import.meta.dirname, "../..");

/** A file that only this controller has, git-ignored: secrets, releases, logs, reports. */
export const localPath = (...parts: string[]): string => join(root, ".halo", ...parts);
