import { run } from "./cluster/hosts.ts";
import { inGroup } from "./cluster/inventory.ts";
import { counterSite, urlOf } from "./cluster/sites.ts";
import { runCommand, UserError } from "./lib/cli.ts";

const usage = {
  exec: `runs a command where the hosts' addresses can be reached

Usage: npm run exec -- COMMAND [ARGUMENT ...]
Input, output and exit status are the command's own. With npm run -s, npm prints nothing besides.

Example: npm run exec -- curl -H "Host: DOMAIN" http://ADDRESS/`,
};

await runCommand(
  (args) => {
    if (args.length === 0) {
      const site = counterSite();
      const url = urlOf(site, inGroup("balancers")[0]?.address);
      throw new UserError("no command is given", `npm run exec -- curl -H 'Host: ${site.domain}' ${url}/`);
    }
    return run(args);
  },
  usage,
  { passThrough: true },
);
