import { spawnSync } from "node:child_process";
import { root } from "../lib/paths.ts";

/** The registry's security advisories for the packages that releases get, or why it gave none. */
export type Advisories = { found: string[] } | { without: string };

/** Asks the registry of npm's settings for advisories about the locked production packages; takes some seconds. */
export function askAdvisories(): Advisories {
  const flags = ["--omit=dev", "--omit=optional", "--package-lock-only", "--json", "--fetch-retries=0"];
  const { stdout, stderr, error } = spawnSync("npm", ["audit", ...flags], {
    cwd: root,
    encoding: "utf8",
    timeout: 60_000,
  });
  if (error) return { without: `npm audit does not run: ${error.message}` };
  let answer: Answer;
  try {
    answer = JSON.parse(stdout);
  } catch {
    return { without: `npm audit gave no answer: ${(stderr || stdout).trim().split("\n")[0]}` };
  }
  if (!answer.metadata || !answer.vulnerabilities) {
    const why = answer.statusCode
      ? `status ${answer.statusCode}`
      : (answer.message ?? answer.error?.summary ?? "no reason");
    return { without: `the npm registry does not answer it (${why})` };
  }
  const found = Object.values(answer.vulnerabilities).map(({ name, severity }) => `${name} (${severity})`);
  return { found };
}

type Answer = {
  metadata?: object;
  vulnerabilities?: Record<string, { name: string; severity: string }>;
  statusCode?: number;
  message?: string;
  error?: { summary?: string };
};
