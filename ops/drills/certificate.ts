/** Renewals of the certificate that visitors see, a CA that is away, a pair that does not fit, and a certificate that has expired. */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { emulated } from "../cluster/provider.ts";
import type { Result } from "../cluster/session.ts";
import { counterSite, siteOf, tlsPort } from "../cluster/sites.ts";
import { balancer, monitoring } from "../cluster/topology.ts";
import { now } from "../lib/clock.ts";
import { localPath, root } from "../lib/paths.ts";
import { shellScript } from "../lib/script.ts";
import { readYaml } from "../lib/yaml.ts";
import { leafFiles } from "../tls/authority.ts";
import { mayBeReset } from "./balancer.ts";
import { tail } from "./steps.ts";
import type { Drill, DrillSession } from "./types.ts";

const nobodyListens = "https://127.0.0.1:9/directory";
/** Seconds until npm run diagnose has to name an expired certificate; a probe, a rule and the command take about 40. */
const NAMED_WITHIN = 120;
/** The site whose certificate expires: no load of a drill asks it. */
const page = monitoring ? siteOf("metrics") : undefined;

const siteYml = (session: DrillSession, vars: object = {}): Promise<Result> =>
  session.ansible("site.yml", "--limit", `${balancer},localhost`, "-e", JSON.stringify(vars));

/** The serial number of the certificate that the balancer serves for a site. */
async function served(session: DrillSession, domain: string): Promise<string> {
  const ask = `openssl s_client -connect 127.0.0.1:${tlsPort()} -servername ${domain} </dev/null 2>/dev/null`;
  return (await session.on(balancer, `${ask} | openssl x509 -noout -serial`)).output;
}

/** Has the local CA sign a new certificate, and site.yml put it in place; gives the end of site.yml, and the bound that did not hold. */
async function renew(session: DrillSession, domain: string, vars?: object): Promise<Result & { broken: string[] }> {
  const before = await served(session, domain);
  for (const file of Object.values(leafFiles(domain))) rmSync(file, { force: true });
  const done = await siteYml(session, vars);
  const kept = (await served(session, domain)) === before;
  return { ...done, broken: kept ? [`the certificate was not renewed\n${tail(done.output)}`] : [] };
}

const expiredPair = (...args: string[]) => shellScript(new URL("expired-pair.sh", import.meta.url), ...args);

/** Serves the metrics by an expired certificate until npm run diagnose names it. */
async function expire(session: DrillSession): Promise<{ broken: string[]; notes: string[] }> {
  if (page?.tls !== "local")
    return { broken: [], notes: ["no certificate has expired: the metrics have none of the local CA"] };
  const { at } = await session.on(balancer, expiredPair("place", page.domain));
  const words = `the certificate of ${page.domain} has expired`;
  const named = await session.until("npm run diagnose names the expired certificate", async () =>
    (await session.sh([process.execPath, "ops/diagnose.ts"])).output.includes(words),
  );
  await session.on(balancer, expiredPair("undo"));
  const seconds = (named - at) / 1000;
  const bound = NAMED_WITHIN * (emulated() ? 5 : 1);
  const note = `npm run diagnose named the expired certificate after ${seconds.toFixed(0)} s`;
  session.say(note);
  return { broken: seconds > bound ? [`${note}, not within ${bound}`] : [], notes: [note] };
}

export const certificate: Drill = {
  name: "certificate",
  what: "renewals of the site's certificate while another site's CA is away; then a pair that does not fit, and one that has expired",
  limit: 900,
  budget: {},
  fresh: true,
  https: true,
  run: async (session) => {
    const { domain } = counterSite();
    const { sites = [] } = readYaml(readFileSync(join(root, "ansible/group_vars/all/sites.yml"), "utf8"));
    const lost = await mayBeReset(session);
    const failedAt = now();
    const orphan = {
      domain: `acme-drill.${domain}`,
      ports: [80],
      tls: "acme",
      paths: { "/": { service: session.app.name } },
    };
    const first = await renew(session, domain, { sites: [...sites, orphan], acme_directory: nobodyListens });
    session.say(`one renewal, while the CA of ${orphan.domain} is away: exit status ${first.code}`);
    const broken = first.broken;
    if (first.code === 0 || !first.output.includes(`no certificate for ${orphan.domain}: `))
      broken.push(`site.yml does not name the site whose CA is away\n${tail(first.output)}`);
    const second = await renew(session, domain);
    session.say(`another renewal, without that site: exit status ${second.code}`);
    broken.push(...second.broken);
    if (second.code !== 0) broken.push(`site.yml ended with exit status ${second.code}\n${tail(second.output)}`);

    const before = await served(session, domain);
    const other = localPath("drill-other.key");
    await session.must(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", other]);
    const own = { ...leafFiles(domain), tls: "files", redirect: false, key: other };
    const wrong = sites.map((site: { domain: string }) => (site.domain === domain ? { ...site, ...own } : site));
    const pushed = await siteYml(session, { sites: wrong });
    rmSync(other);
    session.say(`a pair that does not fit was pushed: exit status ${pushed.code}`);
    if (pushed.code === 0 || (await served(session, domain)) !== before) broken.push("the wrong pair was not refused");
    if (!new RegExp(`${domain}\\.key.*key values mismatch`).test(pushed.output))
      broken.push(`no message names the wrong pair\n${tail(pushed.output)}`);

    const expired = await expire(session);
    const fresh = session.samples().filter((sample) => sample.fresh);
    const resumed = fresh.filter((sample) => sample.resumed).length;
    if (resumed === 0 || resumed === fresh.length)
      broken.push(`${resumed} of ${fresh.length} new connections resumed a session, and half of them try`);
    return {
      failedAt,
      overAt: now(),
      broken: [...broken, ...expired.broken],
      mayLose: lost,
      notes: [`2 renewals; ${resumed} of ${fresh.length} new connections resumed a session`, ...expired.notes],
    };
  },
  undo: { on: [balancer], script: expiredPair("undo") },
};
