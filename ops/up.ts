import { globSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { apps } from "./cluster/apps.ts";
import { browserInLab, playbook, viaLab } from "./cluster/hosts.ts";
import { hosts, inGroup } from "./cluster/inventory.ts";
import { rememberLab } from "./cluster/labMarker.ts";
import { type Choice, choose, inspectMachine } from "./cluster/provider.ts";
import { counterSite, type Site, secureUrlOf, siteOf, sites, tlsPort, urlOf } from "./cluster/sites.ts";
import { sayUnfinished } from "./cluster/unfinished.ts";
import { runCommand, UserError } from "./lib/cli.ts";
import { capture, elapsed, programVersion, step } from "./lib/exec.ts";
import { withExtraVars } from "./lib/extraVars.ts";
import { localPath, root } from "./lib/paths.ts";

const usage = {
  up: `boots the hosts, configures them and prints the next steps

On a running cluster it applies only the settings that differ.

Options:
  --provider NAME   virtualbox, libvirt or docker; without it the one that made the hosts, or the first that works here

Example: npm run up -- --provider=libvirt`,
};

await runCommand(async (args) => {
  const { values } = parseArgs({ args, options: { provider: { type: "string" } } });
  hosts(); // a wrong inventory and a wrong apps.yml stop here, before anything is made
  apps();
  const machine = inspectMachine();
  const choice = choose(machine, values.provider ?? process.env.VAGRANT_DEFAULT_PROVIDER);
  console.log(`Provider: ${choice.provider}${choice.lab ? " in a lab of Halo's own" : ""} (${choice.why})`);

  if (!choice.lab) needCommands(["vagrant", "ansible-playbook"]);
  const built = build();
  if (choice.lab) {
    if (!machine.labRunning) await step("Set up the lab", "lab", [join(root, "lab/lab"), "up", choice.provider]);
    rememberLab(true);
  }

  const boot = ["vagrant", "up", `--provider=${choice.provider}`];
  await step("Boot the hosts", "vagrant", choice.lab ? viaLab(boot) : boot);
  const recap = await withExtraVars({ first_built: JSON.stringify(await built) }, (extra) =>
    step("Configure the hosts", "ansible", playbook("site.yml", ...extra)),
  );
  console.log(recap.slice(recap.lastIndexOf("PLAY RECAP")).trim());
  nextSteps(choice);
  sayUnfinished();
}, usage);

/**
 * Builds the archives that site.yml would build, while this machine waits for the hosts. A failure here is reported there.
 * Resolves with {id, file, sha256} of each app's release, by the app's name.
 */
async function build(): Promise<Record<string, unknown>> {
  const built: Record<string, unknown> = {};
  const archive = (...what: string[]) => capture([join(root, "ops/run"), "build", ...what]).catch(() => undefined);
  // One after the other: each is many processes, and two apps of one repository share a mirror of it.
  const releases = async () => {
    for (const { name } of apps()) {
      if (globSync(localPath("releases", name, "*.tar.gz")).length > 0) continue;
      const output = await archive("release", "--app", name);
      if (output) built[name] = JSON.parse(output);
    }
  };
  await Promise.all([
    archive("runtime"),
    ...[...new Set(apps().flatMap(({ entry: { node } }) => node ?? []))].map((node) =>
      archive("runtime", "--node", node),
    ),
    releases(),
  ]);
  return built;
}

function needCommands(commands: string[]): void {
  for (const each of commands) {
    const found = programVersion(each);
    if ("without" in found)
      throw new UserError(
        `${each}: ${found.without}`,
        "install it (on Debian or Ubuntu: apt install vagrant ansible-core), or make it start; then run this again",
      );
  }
}

/** The curl command that asks a site by https at an address; "" where it has no certificate. */
function secureCurl(site: Site, address = ""): string {
  const url = secureUrlOf(site);
  const ca = site.tls === "local" ? " --cacert .halo/secrets/ca/ca.crt" : "";
  return url ? `curl -s${ca} --resolve ${site.domain}:${tlsPort()}:${address} ${url}/` : "";
}

function nextSteps(choice: Choice): void {
  const [balancer] = inGroup("balancers");
  const [backend] = inGroup("backends");
  const counter = counterSite();
  const metrics = inGroup("monitoring").length > 0 && siteOf("metrics");
  const secure = secureCurl(counter, balancer?.address);
  const plain = counter.redirect ? "" : `curl -s -H 'Host: ${counter.domain}' ${urlOf(counter, balancer?.address)}/`;
  const urls = sites().map((site) => secureUrlOf(site) ?? urlOf(site));
  const trust = sites().some(({ tls }) => tls === "local") ? ", npm run trust" : "";
  console.log(`
Up in ${elapsed()}.
  See it:    npm run -s exec -- ${plain || secure}${plain && secure ? `\n  By https:  npm run -s exec -- ${secure}` : ""}
  Browse it: ${urls.join(", ")} after: npm run hosts -- --write${trust}${choice.lab ? ` (in this lab only by ${browserInLab})` : ""}
  Check it:  npm run verify${metrics ? `\n  Watch it:  ${secureUrlOf(metrics) ?? urlOf(metrics)}, user halo, password in .halo/secrets/metrics` : ""}
  Break it:  npm run exec -- vagrant halt ${backend?.name}, then refresh`);
}
