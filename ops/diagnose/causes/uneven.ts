import { percent } from "../format.ts";
import { limits } from "../limits.ts";
import { inRotation, ofApp, seriesOf, since, sum, trafficOf, type View } from "../readings.ts";
import { type Cause, eachApp } from "./types.ts";

export const uneven: Cause = {
  title: "Uneven balancing",
  runbook: "backendidle",
  next: ["npm run ssh -- BALANCER grep -A12 upstream /etc/nginx/nginx.conf", "npm run up"],
  explainedBy: { "backend-down": "anywhere", timeouts: "anywhere", starvation: "anywhere", cpu: "anywhere" },
  detect: eachApp((s) => {
    const traffic = trafficOf(s);
    const hosts = inRotation(s, s.app);
    if (!traffic || hosts.length < 2 || s.app.sticky) return [];
    const peers = hosts.map((host) => ({
      host,
      ...(traffic.peers[host] ?? { answers: 0, timeouts: 0, errors: 0 }),
    }));
    const all = sum(peers.map(({ answers }) => answers));
    const least = peers.toSorted((a, b) => a.answers - b.answers)[0];
    const failing = peers.some(({ timeouts, errors }) => timeouts + errors > 0); // it is ejected for a reason
    if (!least || failing || all < limits.answers || least.answers >= (limits.share * all) / hosts.length) return [];
    const evidence = [
      `${peers.map(({ host, answers }) => `${host} ${percent(answers / all)}`).join(", ")} of ${all} answers; each should have ${percent(1 / hosts.length)}`,
    ];
    const weights = Object.entries(traffic.weights);
    if (weights.length > 0)
      evidence.push(`nginx.conf gives ${weights.map(([host, weight]) => `${host} the weight ${weight}`).join(", ")}`);
    return [{ host: least.host, evidence, since: shareOnset(s, least.host, hosts) }];
  }),
};

function shareOnset(s: View, host: string, hosts: string[]): number | undefined {
  const others = hosts.filter((each) => each !== host).map((each) => new Map(seriesOf(s, "share", ofApp(s, each))));
  const share = seriesOf(s, "share", ofApp(s, host)).map(([at, value]): [number, number] => {
    const all = value + sum(others.map((each) => each.get(at) ?? 0));
    return [at, all > 0 ? (value / all) * hosts.length : 1];
  });
  return since(share, (value) => value < limits.share);
}
