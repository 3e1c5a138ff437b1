// The state of the hosts, as far as this page knows it: from the balancer's document of states, and from its own answers.
import { DISCONNECTED } from "../../../src/visits/contract.ts";

/** The document that nginx makes of the backends' own answers to GET /visits; null: none in time. */
export interface States {
  balancer: string;
  backends: Record<string, { last_visit?: number | null; database_status?: string } | "drained" | null>;
}

export type Backend =
  | { state: "answers" | "drained" }
  /** `since` is the newest visit's number when the page noticed the stop, `failed` its own requests without a number from then on. */
  | { state: "stopped"; since: number; failed: number };

export interface Cluster {
  balancer: string;
  /** False while the balancer itself does not answer. */
  reachable: boolean;
  /** False while Redis does not answer, as far as a backend has reported. */
  redis: boolean;
  /** The largest visit number that was seen; others' visits count. */
  latest: number;
  backends: Record<string, Backend>;
}

/** An answer to this page: a counted visit, or a reason why it has no number. `name` is the host that answered, if one did. */
export type Answer = { name: string; total: number } | { name?: string; problem: string; disconnected?: boolean };

export const unknown: Cluster = { balancer: "", reachable: true, redis: true, latest: 0, backends: {} };

/** The cluster after a document of states; hosts that the document does not name are gone. */
export function observe(known: Cluster, { balancer, backends }: States): Cluster {
  const alive = Object.values(backends).filter((each) => each !== null && each !== "drained");
  const latest = Math.max(known.latest, ...alive.map((each) => each.last_visit ?? 0));
  const redis = !alive.some((each) => each.database_status === DISCONNECTED);
  const states = Object.entries(backends).map(([name, answer]): [string, Backend] => {
    if (answer === "drained") return [name, { state: "drained" }];
    if (answer !== null) return [name, { state: "answers" }];
    const before = known.backends[name];
    return [name, before?.state === "stopped" ? before : { state: "stopped", since: latest, failed: 0 }];
  });
  return { balancer, reachable: true, redis, latest, backends: Object.fromEntries(states) };
}

/** The cluster after an answer to this page: its backend is alive, whatever an older document of states says. */
export function answered(known: Cluster, answer: Answer): Cluster {
  if ("total" in answer)
    return {
      ...known,
      reachable: true,
      redis: true,
      latest: Math.max(known.latest, answer.total),
      backends: { ...known.backends, [answer.name]: { state: "answers" } },
    };
  const backends = Object.entries(known.backends).map(([name, backend]): [string, Backend] => [
    name,
    backend.state === "stopped" ? { ...backend, failed: backend.failed + 1 } : backend,
  ]);
  // A host that answers was asked by the balancer, or is the balancer.
  const reachable = answer.name === undefined ? known.reachable : true;
  const redis = known.redis && !answer.disconnected;
  return { ...known, reachable, redis, backends: Object.fromEntries(backends) };
}

/** The stopped backends, the visits counted since the first of them stopped, and this page's failures since. */
export function stopped({ latest, backends }: Cluster): { names: string[]; answers: number; failed: number } {
  const all = Object.entries(backends).flatMap(([name, backend]) =>
    backend.state === "stopped" ? [{ name, ...backend }] : [],
  );
  return {
    names: all.map(({ name }) => name),
    answers: latest - Math.min(latest, ...all.map(({ since }) => since)),
    failed: Math.max(0, ...all.map(({ failed }) => failed)),
  };
}
