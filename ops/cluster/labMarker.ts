import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { localPath } from "../lib/paths.ts";

const marker = localPath("lab"); // there while this project's hosts live in a lab

/** Remembers (or forgets) that the hosts live in a lab. */
export function rememberLab(inLab: boolean): void {
  rmSync(marker, { force: true });
  if (inLab) {
    mkdirSync(localPath(), { recursive: true });
    writeFileSync(marker, "");
  }
}

/** Whether the hosts live in a lab, also while that is not running. */
export const remembersLab = (): boolean => existsSync(marker);
