import { afterEach, describe, expect, it } from "vitest";
import { until } from "../../ops/loopback/until.ts";
import { wholeNight } from "../lib/night.ts";
import { Pm2 } from "./support/pm2.ts";
import { Releases } from "./support/releases.ts";
import { startTraffic, type Traffic } from "./support/traffic.ts";

// Apps that know nothing of Halo, under the real PM2: no request may be cut off by a release.

const ids = wholeNight ? ["A", "B", "C", "D"] : ["A", "B", "C"];
let releases: Releases;
let backends: Pm2[] = [];

afterEach(async () => {
  await Promise.all(backends.map((backend) => backend.destroy()));
  backends = [];
  await releases.remove();
});

/** Which releases answered, in the order of their first answers. */
const releasesOf = (traffic: Traffic) => [...new Set(traffic.answers.map((answer) => answer.release))];
const answersOf = (traffic: Traffic, release: string) =>
  traffic.answers.filter((answer) => answer.release === release).length;

/** Takes a release into service on one backend under load; it has answered for a while at the end. */
async function release(id: string, backend: Pm2, traffic: Traffic): Promise<void> {
  await releases.serve(id);
  await backend.command("reload", "all");
  const before = answersOf(traffic, id);
  await until(`answers of release ${id}`, () => answersOf(traffic, id) > before + 20);
}

function expectAllAnswered(traffic: Traffic) {
  expect(traffic.cutOff).toEqual([]);
  expect(traffic.unserved).toBe(0);
  expect(new Set(traffic.answers.map((answer) => answer.status))).toEqual(new Set([200]));
  expect(new Set(traffic.answers.map((answer) => answer.servedBy))).toEqual(new Set(["backend7"]));
  expect(traffic.answers.some((answer) => answer.method === "POST")).toBe(true);
}

describe("in cluster mode a reload under load cuts off no request and refuses none", () => {
  const byDay: [app: string, workers: number, wanted: string[]] = ["plain", 2, ids];
  const more: typeof byDay = ["esm-express", 1, ids.slice(0, 2)];
  it.each(wholeNight ? [byDay, more] : [byDay])("%s, %i processes", async (app, workers, wanted) => {
    releases = await Releases.make(app, wanted);
    const backend = await Pm2.start(releases, "cluster", { workers });
    backends = [backend];
    const { traffic, stop } = startTraffic([backend.port]);
    await until("load", () => traffic.answers.length > 50);
    for (const id of wanted.slice(1)) await release(id, backend, traffic);
    expectAllAnswered(await stop());
    expect(traffic.refused).toBe(0);
    expect(releasesOf(traffic)).toEqual(wanted);
  });
});

describe("in fork mode a reload of one backend after the other refuses some requests, and cuts off none", () => {
  it.each(wholeNight ? ["plain", "clustered"] : ["clustered"])("%s", async (app) => {
    releases = await Releases.make(app, ["A", "B"]);
    backends = await Promise.all([1, 2].map(() => Pm2.start(releases, "fork")));
    const { traffic, stop } = startTraffic(backends.map(({ port }) => port));
    await until("load", () => traffic.answers.length > 50);
    for (const backend of backends) await release("B", backend, traffic);
    expectAllAnswered(await stop());
    expect(releasesOf(traffic)).toEqual(["A", "B"]);
  });
});

it("kills an app that never ends after its deadline, and loses no request but the ones it still has", async () => {
  releases = await Releases.make("stubborn", ["A", "B"]);
  const short = { LAME_DUCK_MS: 500, SHUTDOWN_DEADLINE_MS: 100 };
  const backend = await Pm2.start(releases, "cluster", { STUBBORN: "deaf", ...short });
  backends = [backend];
  const [old] = await backend.list();
  const { traffic, stop } = startTraffic([backend.port]);
  await until("load", () => traffic.answers.length > 50);
  await release("B", backend, traffic);
  expectAllAnswered(await stop());
  expect(() => process.kill(old?.pid ?? 0, 0)).toThrow("ESRCH");
});
