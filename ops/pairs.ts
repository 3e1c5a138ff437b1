/**
 * Judges the certificates and keys of sites with `tls: files`: `pairs.ts DOMAIN CERTIFICATE KEY ...`. Prints a line for each pair that does not
 * fit its site.
 */
import { runCommand } from "./lib/cli.ts";
import { problemOf } from "./tls/pairs.ts";

await runCommand((args) => {
  for (let i = 0; i < args.length; i += 3) {
    const [domain = "", certificate = "", key = ""] = args.slice(i, i + 3);
    const problem = problemOf(domain, certificate, key);
    if (problem) console.log(`sites.yml: ${domain}: ${problem}`);
  }
});
