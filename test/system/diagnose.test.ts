import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { armUndo, restoreCluster } from "../../ops/cluster/failsafe.ts";
import { inGroup } from "../../ops/cluster/inventory.ts";
import { query } from "../../ops/cluster/prometheus.ts";
import { openSession } from "../../ops/cluster/session.ts";
import { causes } from "../../ops/diagnose/causes/index.ts";
import type { CauseName } from "../../ops/diagnose/causes/types.ts";
import type { Finding } from "../../ops/diagnose/findings.ts";
import { limits } from "../../ops/diagnose/limits.ts";
import { queries } from "../../ops/diagnose/snapshot.ts";
import { faults } from "../../ops/faults/index.ts";
import { startTraffic } from "../../ops/faults/traffic.ts";
import { drillRows, removeRows } from "../../ops/loadgen/rows.ts";
import { app } from "../lib/app.ts";
import { explainByJournals, on, sh, until } from "../lib/hosts.ts";
import { atNight, wholeNight } from "../lib/night.ts";

beforeEach(explainByJournals);

const session = (seconds = 120) => openSession(console.log, AbortSignal.timeout(seconds * 1000));
const waitMs = 90_000;
const window = 20; // s, the least
const scrape = 5; // s, of the service

type Diagnosis = { code: number; prometheus: string | null; unseen: string[]; symptoms: string[]; findings: Finding[] };
/** What `npm run diagnose` says of the window. */
async function diagnose(): Promise<Diagnosis> {
  const { code, output } = await sh(["ops/run", "diagnose", "--json", "--window", `${window}s`]);
  try {
    return { code, ...JSON.parse(output) };
  } catch {
    throw new Error(`not JSON, exit status ${code}: ${output}`);
  }
}

/**
 * Diagnoses until this is named or, for undefined, nothing is wrong, not even for visitors; resolves with that result, its
 * ms and all else that was named meanwhile.
 */
async function diagnoseUntil(name: string | undefined) {
  const since = performance.now();
  const others: string[] = [];
  for (;;) {
    const seen = await diagnose();
    const names = seen.findings.map(({ cause }) => cause as string);
    others.push(...seen.findings.filter(({ cause }) => cause !== name).map((each) => JSON.stringify(each)));
    if (name === undefined ? seen.code === 0 : names.includes(name))
      return { seen, others, ms: performance.now() - since };
    if (performance.now() - since > waitMs)
      throw new Error(`${name ?? "nothing"} was not named: ${JSON.stringify(seen)}`);
  }
}

const leftovers = `max by (host) (max_over_time(nodejs_eventloop_lag_p99_seconds[${window}s])) >= ${limits.lag}
  or ${queries(window).statement.expr} >= ${limits.statement}`;
/**
 * Until a fault that is over has left the averages: it explains nothing there any more, but could be named beside the next
 * one. A value that stays bad for longer has another cause.
 */
async function forget(): Promise<void> {
  const good = async () => (await query(leftovers)).length === 0;
  await until("the averages are good", (window + scrape) * 1000, good).catch(() => {});
}

let stop = async () => {};
beforeAll(async () => {
  stop = startTraffic();
  await diagnoseUntil(undefined);
});
afterAll(async () => {
  await stop();
  await removeRows(session(), drillRows);
});

test("a healthy cluster: nothing is wrong", async () => {
  const { code, output } = await sh(["ops/run", "diagnose", "--window", `${window}s`]);
  expect([code, output.trim()]).toEqual([0, "Nothing is wrong."]);
});

/** Each takes about a minute: one a day, another one tomorrow, and all with `npm run test:all`. */
const today = Math.floor(Date.now() / 86_400_000) % faults.length;

test.each(wholeNight ? faults : faults.slice(today, today + 1))("$name: $what", async (fault) => {
  await armUndo(session(), { ...fault, limit: 120 }, 1);
  let named: Awaited<ReturnType<typeof diagnoseUntil>>;
  try {
    await fault.make(session(), 120);
    named = await diagnoseUntil(fault.name);
  } finally {
    await restoreCluster(session(), fault);
  }
  const over = await diagnoseUntil(undefined);
  await forget();
  const seconds = (ms: number) => (ms / 1000).toFixed(0);
  const [finding, ...more] = named.seen.findings;
  console.log(
    `${fault.name}: named after ${seconds(named.ms)} s, no more ${seconds(over.ms)} s after its end\n  ${finding?.evidence.join("\n  ")}`,
  );
  expect(named.others).toEqual([]);
  expect([named.seen.code, named.seen.prometheus, more]).toEqual([1, null, []]);
  expect(finding?.evidence.length).toBeGreaterThan(0);
  // Its end leaves the window later than its cause: its symptom may be named by itself for a moment.
  const itsOwn = (cause: CauseName) => cause === fault.name || fault.name in causes[cause].explainedBy;
  expect(over.others.filter((other) => !itsOwn(JSON.parse(other).cause))).toEqual([]);
});

atNight("a worker that ends while it is sampled", async () => {
  const [{ name = "" } = {}] = inGroup("backends");
  const running = diagnose();
  await on(name, `until pgrep -f '^python3 - '; do sleep .05; done; sleep .5; pkill -KILL ${app.workers}`);
  expect((await running).unseen).toEqual([]);
  await diagnoseUntil(undefined);
});

test("without Prometheus the hosts alone are asked, and it says so", async () => {
  const [{ name = "" } = {}] = inGroup("monitoring");
  await on(name, "systemctl stop prometheus");
  try {
    // Visitors may still notice the fault before this one: it stays in nginx's log for the window.
    const { seen, others } = await diagnoseUntil(undefined);
    expect([seen.prometheus, others]).toEqual([expect.stringMatching(/refused/), []]);
  } finally {
    await on(name, "systemctl start prometheus");
  }
});

// The last one: failures that visitors noticed stay in the window for a while.
atNight("a frozen Redis, which its unit calls active", async () => {
  const [{ name = "" } = {}] = inGroup("redis");
  await on(name, "systemctl kill -s STOP redis-server");
  try {
    expect((await diagnose()).findings.map(({ cause }) => cause)).toEqual(["redis-down"]);
  } finally {
    await on(name, "systemctl kill -s CONT redis-server");
  }
});
