// A backend's release.ts that reports another release on one host, whose name the test puts in the place of the word below.
import { readFileSync } from "node:fs";
import { hostname } from "node:os";

export const readRelease = () => (hostname() === "HOST" ? "another" : readFileSync("RELEASE", "utf8").trim());
