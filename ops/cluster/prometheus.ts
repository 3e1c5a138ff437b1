import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { UserError } from "../lib/cli.ts";
import { localPath } from "../lib/paths.ts";
import { findHost } from "./hosts.ts";
import { inGroup } from "./inventory.ts";
import { siteOf, wayTo } from "./sites.ts";

/** One series of an instant query: its labels, `__name__` among them, and its value. */
export type LabelledValue = { labels: Record<string, string>; value: number };

/**
 * Asks the cluster's Prometheus, through the balancer, for an expression's value now, or at a Unix time in s. Has to be
 * called where the hosts can be reached. Throws a UserError where there is no monitoring, or it does not answer within 10 s.
 */
export async function query(expression: string, time?: number): Promise<LabelledValue[]> {
  if (inGroup("monitoring").length === 0)
    throw new UserError("the inventory's group monitoring has no host", "name one there, then: npm run up");
  const site = siteOf("metrics");
  if (!site)
    throw new UserError(
      "no site in ansible/group_vars/all/sites.yml has the role metrics",
      "add it there, then: npm run up",
    );
  const away = (why: string) => new UserError(`Prometheus does not answer: ${why}`, "npm run verify");
  let password: string;
  try {
    password = readFileSync(localPath("secrets/metrics"), "utf8").trim();
  } catch {
    throw away("its password is not in .halo/secrets/metrics");
  }
  const asked = new URLSearchParams({ query: expression, ...(time === undefined ? {} : { time: String(time) }) });
  const text = await new Promise<string>((resolve, reject) => {
    const { port, tls } = wayTo(site);
    const outgoing = (tls ? https : http).request({
      host: findHost(inGroup("balancers")[0]?.name).address,
      port,
      ...tls,
      path: "/prometheus/api/v1/query",
      method: "POST",
      auth: `halo:${password}`,
      headers: { Host: site.domain, "Content-Type": "application/x-www-form-urlencoded" },
      agent: false,
      signal: AbortSignal.timeout(10_000),
    });
    outgoing.on("error", (error) => reject(away(error.message)));
    outgoing.on("response", (answer) => {
      let body = "";
      answer.setEncoding("utf8");
      answer.on("data", (chunk) => {
        body += chunk;
      });
      answer.on("error", (error) => reject(away(error.message)));
      answer.on("end", () =>
        answer.statusCode === 200 ? resolve(body) : reject(away(`${answer.statusCode} ${body.slice(0, 200).trim()}`)),
      );
    });
    outgoing.end(asked.toString());
  });
  const { result } = JSON.parse(text).data as {
    result: { metric: LabelledValue["labels"]; value: [number, string] }[];
  };
  return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1].replace("Inf", "Infinity")) }));
}

/**
 * The value below which a share q of a histogram's values lie, as PromQL's histogram_quantile has it: linear inside a
 * bucket, and the highest finite bound for values above it. Counts are cumulative by upper bound; undefined without values.
 */
export function histogramQuantile(q: number, counts: Map<number, number>): number | undefined {
  const bounds = [...counts.keys()].toSorted((a, b) => a - b);
  const total = counts.get(Number.POSITIVE_INFINITY) ?? 0;
  if (!(total > 0)) return undefined;
  const rank = q * total;
  const i = bounds.findIndex((bound) => (counts.get(bound) ?? 0) >= rank);
  const [above = 0, below = 0] = [bounds[i], bounds[i - 1]];
  if (!Number.isFinite(above)) return below;
  const before = i > 0 ? (counts.get(below) ?? 0) : 0;
  return below + ((above - below) * (rank - before)) / ((counts.get(above) ?? 0) - before);
}
