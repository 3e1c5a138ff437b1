/**
 * Makes the certificates of sites with `tls: local`, and the CA that signs them, where they are missing or a third of their life is left:
 * `certificates.ts NETWORK DOMAIN ...`; NETWORK is that of the hosts, such as 192.0.2.0. Prints the names whose certificate is new, as a JSON
 * list.
 */
import { runCommand, UserError } from "./lib/cli.ts";
import { authority, leafOf } from "./tls/authority.ts";

await runCommand((args) => {
  const [network, ...domains] = args;
  if (network === undefined) throw new UserError("no network is named", "ops/run certificates NETWORK DOMAIN ...");
  const ca = authority({ domains, networks: [network] });
  console.log(JSON.stringify(domains.filter((domain) => leafOf(domain, ca).made)));
});
