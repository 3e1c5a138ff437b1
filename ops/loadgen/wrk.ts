import { fileURLToPath } from "node:url";
import { viaLab } from "../cluster/hosts.ts";
import { step, tryCapture } from "../lib/exec.ts";

/** Installs the load generator where it is missing and can be; throws a UserError where it cannot. */
export async function needWrk(): Promise<void> {
  if (tryCapture(["sh", "-c", "command -v wrk"]) === null)
    await step("Install wrk", "packages", ["ops/install-packages", "wrk"]);
}

/**
 * The command that has this many connections ask a URL of a domain for some seconds, each again as soon as it has its
 * answer, from where the hosts can be reached; it prints wrk's report.
 */
export const wrk = (connections: number, seconds: number, domain: string, url: string, ...more: string[]) =>
  viaLab(["wrk", "-t1", `-c${connections}`, `-d${seconds}s`, ...more, "-H", `Host: ${domain}`, url]);

/** The same by https, at an address that the name in the URL need not lead to. */
export const secureWrk = (connections: number, seconds: number, address: string, url: string, ...more: string[]) =>
  viaLab([
    ...["env", `HALO_ADDRESS=${address}`, "wrk", "-t1", `-c${connections}`, `-d${seconds}s`, ...more],
    ...["-s", fileURLToPath(new URL("at.lua", import.meta.url)), url],
  ]);
