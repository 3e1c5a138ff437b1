import { describe, expect, it } from "vitest";
import { answered, type Cluster, observe, type States, stopped, unknown } from "../../../web/counter/parts/cluster.ts";

const states = (backends: States["backends"]): States => ({ balancer: "front", backends });
const alive = (last_visit: number | null = null) => ({ last_visit, database_status: "Terhubung" });
/** The cluster after these documents and answers, in their order. */
const seen = (...events: (States | Parameters<typeof answered>[1])[]): Cluster =>
  events.reduce<Cluster>(
    (known, event) => ("backends" in event ? observe(known, event) : answered(known, event)),
    unknown,
  );
const stateOf = ({ backends }: Cluster) =>
  Object.fromEntries(Object.entries(backends).map(([name, { state }]) => [name, state]));

describe("the cluster", () => {
  it("has the hosts of the newest document: alive, drained, or stopped", () => {
    const cluster = seen(states({ a: alive(), old: alive() }), states({ a: alive(), b: "drained", c: null }));
    expect(cluster).toMatchObject({ balancer: "front", reachable: true });
    expect(stateOf(cluster)).toEqual({ a: "answers", b: "drained", c: "stopped" });
  });

  it("takes a backend that answers without a number for alive: an older release has no state", () => {
    expect(stateOf(seen(states({ a: { status: 404 } as object })))).toEqual({ a: "answers" });
  });

  it("knows a backend by its answer alone, also one that a document called stopped", () => {
    expect(stateOf(seen({ name: "dev", total: 1 }))).toEqual({ dev: "answers" });
    expect(stateOf(seen(states({ a: null }), { name: "a", total: 1 }))).toEqual({ a: "answers" });
  });

  it("counts everybody's visits since a stop, from the moment at which the page noticed it", () => {
    const cluster = seen(
      { name: "a", total: 10 },
      states({ a: alive(10), b: alive(12) }),
      states({ a: null, b: alive(20) }),
      { name: "b", total: 21 },
      states({ a: null, b: alive(50) }),
    );
    expect(stopped(cluster)).toEqual({ names: ["a"], answers: 30, failed: 0 });
  });

  it("does not count back where a worker knows an older number", () => {
    const cluster = seen(
      states({ a: null, b: alive(20) }),
      states({ a: null, b: alive(25) }),
      states({ a: null, b: alive(22) }),
    );
    expect(stopped(cluster).answers).toBe(5);
  });

  it("counts this page's failures since the stop, so that no sentence says that nobody noticed", () => {
    const cluster = seen(
      { problem: "503" },
      states({ a: null, b: alive(1) }),
      { problem: "late" },
      { name: "b", total: 2 },
    );
    expect(stopped(cluster)).toEqual({ names: ["a"], answers: 1, failed: 1 });
  });

  it("has no Redis while a backend that answers reports so, until one counts a visit", () => {
    const away = { last_visit: 1, database_status: "Terputus" };
    expect(seen(states({ a: away, b: alive(1) })).redis).toBe(false);
    expect(seen(states({ a: away }), states({ a: alive(1), b: null })).redis).toBe(true);
    expect(seen({ name: "a", problem: "503", disconnected: true }).redis).toBe(false);
    expect(seen({ name: "a", problem: "503", disconnected: true }, { name: "a", total: 1 }).redis).toBe(true);
    expect(seen({ name: "front", problem: "503" }).redis).toBe(true);
  });

  it("begins again with a further stop", () => {
    const cluster = seen(
      states({ a: null, b: alive(5) }),
      states({ a: alive(6), b: alive(9) }),
      states({ a: null, b: alive(9) }),
    );
    expect(stopped(cluster)).toEqual({ names: ["a"], answers: 0, failed: 0 });
  });

  it("counts from the first of two stops", () => {
    const cluster = seen(states({ a: null, b: alive(5), c: alive(5) }), states({ a: null, b: null, c: alive(9) }));
    expect(stopped(cluster)).toEqual({ names: ["a", "b"], answers: 4, failed: 0 });
    expect(stopped(unknown)).toEqual({ names: [], answers: 0, failed: 0 });
  });

  it("is reachable again with any answer that a host made", () => {
    const away = { ...unknown, reachable: false };
    expect(answered(away, { name: "a", problem: "503" }).reachable).toBe(true);
    expect(answered(away, { name: "a", total: 1 }).reachable).toBe(true);
    expect(answered(away, { problem: "silent" }).reachable).toBe(false);
    expect(observe(away, states({})).reachable).toBe(true);
  });
});
