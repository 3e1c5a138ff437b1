import { fileURLToPath } from "node:url";
import { viaLab } from "../cluster/hosts.ts";
import { type Site, urlOf, wayTo } from "../cluster/sites.ts";
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

/** The program of the https load, which a program of one's own has to begin with: wrk takes one alone. */
export const secureProgram = fileURLToPath(new URL("at.lua", import.meta.url));

/** The same by https, at an address that the name in the URL need not lead to. */
export const secureWrk = (connections: number, seconds: number, address: string, url: string, ...more: string[]) =>
  viaLab([
    ...["env", `HALO_ADDRESS=${address}`, "wrk", "-t1", `-c${connections}`, `-d${seconds}s`],
    ...["-s", secureProgram, ...more, url],
  ]);

/** The load on a site at an address: by https where its plain ports lead there. */
export function wrkTo(site: Site, address: string, connections: number, seconds: number, ...more: string[]): string[] {
  const url = `${urlOf(site, address)}/`;
  return wayTo(site).tls
    ? secureWrk(connections, seconds, address, url, ...more)
    : wrk(connections, seconds, site.domain, url, ...more);
}
