import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type CauseName, causes, type Finding } from "../../ops/diagnose/causes.ts";
import { arm, putBack, removeRows } from "../../ops/drill/perform.ts";
import { makeScene } from "../../ops/drill/scene.ts";
import { faults } from "../../ops/faults/faults.ts";
import { startTraffic } from "../../ops/faults/load.ts";
import { inGroup } from "../../ops/lib/project.ts";
import { explainByJournals, on, sh } from "../lib/hosts.ts";

beforeEach(explainByJournals);

const scene = (seconds = 120) => makeScene(() => [], console.log, AbortSignal.timeout(seconds * 1000));
const patience = 90_000; // ms

type Look = { code: number; prometheus: string | null; unseen: string[]; symptoms: string[]; findings: Finding[] };
/** What `npm run diagnose` says of the last 20 s. */
async function look(): Promise<Look> {
  const { code, output } = await sh(["ops/run", "diagnose", "--json", "--window", "20s"]);
  try {
    return { code, ...JSON.parse(output) };
  } catch {
    throw new Error(`not JSON, exit status ${code}: ${output}`);
  }
}

/** Looks until this is named, or nothing; resolves with that look, its ms and all else that was named meanwhile. */
async function lookFor(name: string | undefined) {
  const since = performance.now();
  const others: string[] = [];
  for (;;) {
    const seen = await look();
    const names = seen.findings.map(({ cause }) => cause as string);
    others.push(...seen.findings.filter(({ cause }) => cause !== name).map((each) => JSON.stringify(each)));
    if (name === undefined ? names.length === 0 : names.includes(name))
      return { seen, others, ms: performance.now() - since };
    if (performance.now() - since > patience)
      throw new Error(`${name ?? "nothing"} was not named: ${JSON.stringify(seen)}`);
  }
}

let stop = async () => {};
beforeAll(async () => {
  stop = startTraffic();
  await lookFor(undefined);
});
afterAll(async () => {
  await stop();
  await removeRows(scene());
});

test("a healthy cluster: nothing is wrong", async () => {
  const { code, output } = await sh(["ops/run", "diagnose", "--window", "20s"]);
  expect([code, output.trim()]).toEqual([0, "Nothing is wrong."]);
});

test.each(faults)("$name: $what", async (fault) => {
  // The averages of the window still have the fault before this one in them: it may be told as well.
  const left = faults[faults.indexOf(fault) - 1]?.name;
  await arm(scene(), { ...fault, limit: 120 }, 1);
  let named: Awaited<ReturnType<typeof lookFor>>;
  try {
    await fault.make(scene(), 120);
    named = await lookFor(fault.name);
  } finally {
    await putBack(scene(), fault);
  }
  const over = await lookFor(undefined);
  const seconds = (ms: number) => (ms / 1000).toFixed(0);
  const findings = named.seen.findings.filter(({ cause }) => cause !== left);
  const [finding] = findings;
  console.log(
    `${fault.name}: named after ${seconds(named.ms)} s, no more ${seconds(over.ms)} s after its end\n  ${finding?.evidence.join("\n  ")}`,
  );
  const causeOf = (other: string): CauseName => JSON.parse(other).cause;
  expect(named.others.filter((other) => causeOf(other) !== left)).toEqual([]);
  expect([named.seen.code, named.seen.prometheus, findings.length]).toEqual([1, null, 1]);
  expect(finding?.evidence.length).toBeGreaterThan(0);
  // Its end leaves the window later than its cause: what it explains may be told by itself for a moment.
  const itsOwn = (cause: CauseName) => [fault.name, left].includes(cause) || fault.name in causes[cause].symptomOf;
  expect(over.others.filter((other) => !itsOwn(causeOf(other)))).toEqual([]);
});

test("a worker that ends while it is looked at", async () => {
  const [{ name = "" } = {}] = inGroup("backends");
  const looking = look();
  await on(name, "until pgrep -f '^python3 - '; do sleep .05; done; sleep .5; pkill -KILL -u halo -f app/src/main.ts");
  expect((await looking).unseen).toEqual([]);
  await lookFor(undefined);
});

test("without Prometheus the hosts alone are asked, and it says so", async () => {
  const [{ name = "" } = {}] = inGroup("monitoring");
  await on(name, "systemctl stop prometheus");
  try {
    const { code, prometheus, unseen, findings } = await look();
    expect([code, prometheus, unseen, findings]).toEqual([0, expect.stringMatching(/refused/), [], []]);
  } finally {
    await on(name, "systemctl start prometheus");
  }
});

// The last one: what visitors noticed stays in the window for a while.
test("a frozen Redis, which its unit calls active", async () => {
  const [{ name = "" } = {}] = inGroup("redis");
  await on(name, "systemctl kill -s STOP redis-server");
  try {
    expect((await look()).findings.map(({ cause }) => cause)).toEqual(["redis-down"]);
  } finally {
    await on(name, "systemctl kill -s CONT redis-server");
  }
});
