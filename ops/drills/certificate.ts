/** Renewals of the certificate that visitors see, and a pair that does not fit. */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { emulated } from "../cluster/provider.ts";
import { counterSite } from "../cluster/sites.ts";
import { balancer } from "../cluster/topology.ts";
import { now } from "../lib/clock.ts";
import { localPath, root } from "../lib/paths.ts";
import { leafFiles } from "../tls/authority.ts";
import { mayBeReset } from "./balancer.ts";
import { tail } from "./steps.ts";
import type { Drill, DrillSession } from "./types.ts";

const place = ["--limit", `${balancer},localhost`];

/** The serial number of the certificate that the balancer serves for a site. */
const served = async (session: DrillSession, domain: string): Promise<string> =>
  (await session.on(balancer, `openssl x509 -noout -serial -in /etc/nginx/tls/${domain}.crt && nginx -t -q`)).output;

export const certificate: Drill = {
  name: "certificate",
  what: "renewals of the site's certificate, then a pair that does not fit is pushed",
  limit: 600,
  budget: {},
  fresh: true,
  https: true,
  run: async (session) => {
    const { domain } = counterSite();
    const own = leafFiles(domain);
    const lost = await mayBeReset(session);
    const failedAt = now();
    const broken: string[] = [];
    const renewals = emulated() ? 1 : 3;
    for (let i = 0; i < renewals; i++) {
      const before = await served(session, domain);
      for (const file of [own.certificate, own.key]) rmSync(file);
      const { code, output } = await session.ansible("site.yml", ...place);
      if (code !== 0) broken.push(`site.yml ended with exit status ${code}\n${tail(output)}`);
      if ((await served(session, domain)) === before) broken.push("the certificate was not renewed");
      session.say(`renewal ${i + 1} of ${renewals} is in service`);
    }
    const before = await served(session, domain);
    const { sites } = parse(readFileSync(join(root, "ansible/group_vars/all/sites.yml"), "utf8"));
    // The key of another certificate.
    const other = localPath("drill-other.key");
    await session.must(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", other]);
    const wrong = sites.map((site: { domain: string }) =>
      site.domain === domain ? { ...site, ...own, tls: "files", redirect: false, key: other } : site,
    );
    const pushed = await session.ansible("site.yml", ...place, "-e", JSON.stringify({ sites: wrong }));
    rmSync(other);
    session.say(`a pair that does not fit was pushed: exit status ${pushed.code}`);
    if (pushed.code === 0 || (await served(session, domain)) !== before) broken.push("the wrong pair was not refused");
    if (!pushed.output.includes(domain) || !/key values mismatch|does not fit/.test(pushed.output))
      broken.push(`no message names the wrong pair\n${tail(pushed.output)}`);
    return { failedAt, overAt: now(), broken, mayLose: lost, notes: [`${renewals} renewals`] };
  },
};
