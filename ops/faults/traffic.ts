import http from "node:http";
import https from "node:https";
import { findHost } from "../cluster/hosts.ts";
import { counterSite, loginOf, type Site, siteFor, wayTo } from "../cluster/sites.ts";
import { balancer } from "../cluster/topology.ts";
import { startLoad } from "../loadgen/load.ts";
import { writesPath } from "../loadgen/options.ts";
import { drillRows } from "../loadgen/rows.ts";

/**
 * A modest load, so that a fault has somebody to meet: visits, writes and reads of the workshop, sent by the clock.
 * Resolves when its last request is over.
 */
export function startTraffic(visits = 100, writes = 20, reads = 10): () => Promise<void> {
  const host = findHost(balancer).address;
  const counter = counterSite();
  const workshop = siteFor(writesPath);
  const at = (site: Site) => ({ host, domain: site.domain, ...wayTo(site), ...loginOf(site) });
  const loads = [
    startLoad({ ...at(counter), rate: visits }),
    startLoad({ ...at(workshop), rate: writes, writes: `${drillRows}-${Date.now().toString(36)}` }),
  ];
  const { port, tls } = wayTo(workshop);
  const headers = { Host: workshop.domain, ...loginOf(workshop) };
  const list = { host, port, ...tls, path: `${writesPath}?limit=20`, headers };
  const ignore = () => {}; // the metrics and the logs show its result
  const read = () =>
    (tls ? https : http)
      .get({ ...list, signal: AbortSignal.timeout(10_000) }, (answer) => answer.on("error", ignore).resume())
      .on("error", ignore);
  const timer = setInterval(read, 1000 / reads);
  return async () => {
    clearInterval(timer);
    await Promise.all(loads.map((load) => load.stop()));
  };
}
