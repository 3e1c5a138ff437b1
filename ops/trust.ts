import { runCommand } from "./lib/cli.ts";
import { trust } from "./tls/trust.ts";

const usage = {
  trust: `lets browsers and curl here trust the sites' certificates; asks first

The certificates of sites with tls: local are signed by a CA of this project, .halo/secrets/ca/ca.crt. It can sign for names
below .test, for the other names of these sites, and for the hosts' network only. The command adds it to the machine's store (with
sudo), and to those of Chromium and Firefox of this user.

Options:
  --yes   do not ask

Example: npm run trust`,
};

await runCommand(trust, usage);
