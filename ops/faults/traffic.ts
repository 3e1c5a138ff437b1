import { get } from "node:http";
import { findHost } from "../cluster/hosts.ts";
import { domainOf, domains } from "../cluster/inventory.ts";
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
  const [domain = ""] = domains();
  const loads = [
    startLoad({ host, domain, rate: visits }),
    startLoad({ host, domain: domainOf(writesPath), rate: writes, writes: `${drillRows}-${Date.now().toString(36)}` }),
  ];
  const asked = { host, path: `${writesPath}?limit=20`, headers: { Host: domainOf(writesPath) } };
  const ignore = () => {}; // what becomes of it is for others to see
  const read = () =>
    get({ ...asked, signal: AbortSignal.timeout(10_000) }, (answer) => answer.on("error", ignore).resume()).on(
      "error",
      ignore,
    );
  const timer = setInterval(read, 1000 / reads);
  return async () => {
    clearInterval(timer);
    await Promise.all(loads.map((load) => load.stop()));
  };
}
