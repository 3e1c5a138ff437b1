// A backend's release.ts that reports another release on one host; the test puts the host's name for HOST.
import { readFileSync } from "node:fs";
import { hostname } from "node:os";

export const readRelease = () => (hostname() === "HOST" ? "another" : readFileSync("RELEASE", "utf8").trim());
