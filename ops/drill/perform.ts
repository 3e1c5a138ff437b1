import { findHost, remote } from "../lib/cluster.ts";
import { Problem } from "../lib/problem.ts";
import { elapsed } from "../lib/process.ts";
import { domainOf, domains, hosts } from "../lib/project.ts";
import type { Drill, Outcome } from "./drills.ts";
import { type Load, startLoad, writesPath } from "./load.ts";
import { explain, type Row } from "./report.ts";
import {
  backends,
  balancer,
  makeScene,
  monitoring,
  postgres,
  type Result,
  redis,
  type Scene,
  steady,
} from "./scene.ts";
import { judge, judgeWrites, type Seen, tally, tellWrites } from "./tally.ts";

const unit = (name: string) => `halo-drill-${name}`; // what puts a host right by itself
const writesPerRead = 0.1; // a write costs a transaction
export const drillRows = "halo-drill"; // what the keys and the names of a drill's rows begin with
const log = "/var/log/nginx/access.log";

/**
 * One drill from its preparation until everything is put back, whatever happens.
 *
 * @param rate requests a second of each load
 * @param slow how many times longer than a container these hosts may take
 * @param interrupted ends it early
 */
export async function perform(drill: Drill, rate: number, slow: number, interrupted: AbortSignal): Promise<Row> {
  const started = performance.now();
  const say = (text: string) => console.log(`  ${elapsed(started)}: ${text}`);
  const loads: Load[] = [];
  const shots = () => loads.flatMap((load) => load.shots);
  let writing: Load | undefined;
  const writes = () => writing?.shots ?? [];
  const limited = (seconds: number, ...others: AbortSignal[]) =>
    makeScene(shots, say, AbortSignal.any([AbortSignal.timeout(seconds * slow * 1000), ...others]), writes);
  const scene = limited(drill.limit, interrupted);
  const row: Row = { drill: drill.name, seconds: 0, broken: [], notes: [] };
  let seen: Seen | undefined;
  const silence = await plan(limited(30), "begin", drill, ...silenceOf(drill, slow));
  try {
    await arm(scene, drill, slow);
    await drill.prepare?.(scene);
    if (drill.writes) await removeRows(scene);
    const mark = await markLog(scene);
    const before = await total(scene);
    for (const fresh of drill.fresh ? [false, true] : [false])
      loads.push(startLoad({ host: findHost(balancer).address, domain: domains()[0] ?? "", rate, fresh }));
    if (drill.writes) {
      const prefix = `${drillRows}-${Date.now().toString(36)}`;
      writing = startLoad({
        host: findHost(balancer).address,
        domain: domainOf(writesPath),
        rate: rate * writesPerRead,
        writes: prefix,
      });
    }
    await steady(scene, 3);
    say(`${shots().length} requests so far; now the failure`);
    const outcome = await drill.run(scene);
    await steady(scene, 3);
    await Promise.all([...loads, writing].map((load) => load?.stop()));
    seen = await see(scene, outcome, mark, before, shots());
    row.tally = tally(seen);
    // Where a machine is emulated, the service's own second for Redis can run out: its 503 is counted, not judged.
    const budget = slow > 1 ? { refusals: "anybody" as const, ...drill.budget } : drill.budget;
    row.broken = [...judge(budget, seen, row.tally), ...(outcome.broken ?? [])];
    row.notes = outcome.notes ?? [];
    if (drill.writes) {
      const written = {
        writes: writes(),
        rows: await rowsOf(scene),
        away: outcome.away ?? [],
        mayLose: outcome.mayLose,
      };
      row.broken.push(...judgeWrites(written, slow > 1));
      row.notes.push(tellWrites(written));
    }
    if (row.tally.late > 50) row.notes.push(`requests were sent up to ${row.tally.late.toFixed(0)} ms late`);
  } catch (error) {
    row.broken.push(error instanceof Problem ? error.message : `it could not be done: ${error}`);
  }
  const tell = (error: unknown) => say(error instanceof Error ? error.message : `${error}`);
  await Promise.all([...loads, writing].map((load) => load?.stop())).catch(tell);
  if (row.broken.length > 0) await explain(limited(60), row.broken, shots(), seen).catch(tell);
  try {
    await putBack(limited(120), drill);
    if (drill.writes) await removeRows(limited(60));
  } catch (error) {
    row.broken.push(`not everything could be put back: ${error instanceof Error ? error.message : error}`);
  }
  await plan(limited(30), "end", drill, silence);
  row.seconds = Math.round((performance.now() - started) / 1000);
  return row;
}

/**
 * Tells the monitoring host that a drill begins or ends; the drill goes on where there is none or it does not answer.
 * Resolves with the id of the silence that has begun, or ""; it ends by itself if nobody ends it.
 */
export async function plan(
  scene: Scene,
  edge: "begin" | "end",
  { name }: Pick<Drill, "name">,
  ...args: string[]
): Promise<string> {
  if (!monitoring) return "";
  const quoted = args.filter(Boolean).map((each) => `'${each}'`);
  const line = `halo-planned ${edge} drill ${name} ${quoted.join(" ")}`;
  return scene.on(monitoring, line).then(
    ({ output }) => output.match(/^[0-9a-f-]{36}$/m)?.[0] ?? "",
    (error) => {
      scene.say(`no word to the monitoring: ${error instanceof Error ? error.message : error}`);
      return "";
    },
  );
}

/** How long a drill's silence lasts at most, and what it silences. */
const silenceOf = ({ causes, limit }: Drill, slow: number): string[] => [
  `${(limit + 60) * slow}`,
  ...(causes ? [`alertname=~"${causes.alerts.join("|")}"`, `host=~"${[...new Set(causes.hosts)].join("|")}"`] : []),
];

/** Throws a Problem where a drill or fault is under way, or was killed and its host has still to put itself right. */
export async function refuseBeside(scene: Scene): Promise<void> {
  const looks = hosts().map(async (host) => {
    const ask = `date +%s; systemctl list-timers --output=json '${unit("*")}'`;
    const { code, output } = await scene.sh(remote(host, "sh", "-c", `"${ask}"`));
    if (code !== 0) return; // others say what is wrong with it
    const [seconds, timers = ""] = output.split("\n");
    for (const { next, activates } of JSON.parse(timers) as { next: number; activates: string }[])
      throw new Problem(
        `${activates} is armed: a killed drill or fault will put itself right in ${Math.ceil(next / 1e6 - Number(seconds))} s, or one is under way`,
        `wait for it; to put a killed one right now: npm run ssh -- ${host.name} sudo systemctl start --wait ${activates}`,
      );
  });
  await Promise.all(looks);
}

/** Has the hosts put themselves right, should nobody be left to ask for it. */
export async function arm(
  scene: Scene,
  { name, mend, limit }: Pick<Drill, "name" | "mend" | "limit">,
  slow: number,
): Promise<void> {
  if (!mend) return;
  // Whoever starts it before its time has nothing left to wait for.
  const script = `systemctl stop ${unit(name)}.timer\n${mend.script}`;
  const quoted = `'${script.replaceAll("'", "'\\''")}'`;
  const line = `systemd-run --quiet --collect --unit=${unit(name)} --on-active=${(limit + 60) * slow} bash -c ${quoted}`;
  await Promise.all(mend.on.map((host) => scene.on(host, line)));
}

/** Puts everything right and waits until every backend answers. */
export async function putBack(
  scene: Scene,
  { name, mend, restore }: Pick<Drill, "name" | "mend" | "restore">,
): Promise<void> {
  await restore?.(scene);
  if (mend)
    await Promise.all(
      mend.on.map((host) => scene.on(host, `systemctl stop ${unit(name)}.timer 2>/dev/null || true\n${mend.script}`)),
    );
  // A path that counts no visit; a banned backend is tried again after some seconds.
  await scene.on(
    balancer,
    `python3 - <<'PYTHON'
import http.client, time
wanted, end = set("${backends.join(" ")}".split()), time.time() + 100
seen = []
while set(seen[-20:]) != wanted:
    if time.time() > end:
        raise SystemExit(f"the last answers came from {set(seen[-20:])}")
    try:
        connection = http.client.HTTPConnection("127.0.0.1", timeout=5)
        connection.request("GET", "/-/drill", headers={"Host": "${domains()[0]}"})
        seen.append(connection.getresponse().getheader("X-Served-By"))
    except OSError as error:
        seen.append(str(error))
    time.sleep(.02)
PYTHON`,
  );
}

const sql = (scene: Scene, ...statements: string[]): Promise<Result> =>
  scene.on(
    postgres,
    `cd /\nrunuser -u postgres -- psql -qAtX -v ON_ERROR_STOP=1 halo <<'SQL'\n${statements.join(";\n")};\nSQL`,
  );

const rowsOf = async (scene: Scene): Promise<string[]> =>
  (await sql(scene, `SELECT name FROM workshop.customers WHERE name LIKE '${drillRows}-%'`)).output
    .split("\n")
    .filter(Boolean);

/** Takes out what this drill, or one that was killed, has written. */
export const removeRows = (scene: Scene): Promise<Result> =>
  sql(
    scene,
    `DELETE FROM workshop.customers WHERE name LIKE '${drillRows}-%'`,
    `DELETE FROM workshop.idempotency_keys WHERE key LIKE '${drillRows}-%'`,
  );

const markLog = async (scene: Scene): Promise<string> => (await scene.on(balancer, `stat -c '%i %s' ${log}`)).output;

const total = async (scene: Scene): Promise<number> =>
  Number((await scene.on(redis, "halo-redis-cli get total_visits")).output);

/** Collects what the drill's requests did on the other side: the counter, and every try of the balancer's log. */
async function see(scene: Scene, outcome: Outcome, mark: string, before: number, shots: Seen["shots"]): Promise<Seen> {
  let after = await total(scene);
  // A request that its client gave up may still be counted.
  for (let last = Number.NaN; last !== after; after = await total(scene)) {
    last = after;
    await steady(scene, 0.5);
  }
  const [inode, size] = mark.split(" ");
  const { output } = await scene.on(
    balancer,
    `sleep 1.2 # nginx writes its log once a second
set -- ${log}
[ $(stat -c %i ${log}) = ${inode} ] || set -- ${log}.1 ${log}
tail -qc +$((${size} + 1)) $1 | tr -d "\\0" >/run/halo-drill.log # a power cut leaves NULs
[ $# = 1 ] || cat $2 >>/run/halo-drill.log
grep -aE '^\\{.*"agent":"halo-drill"\\}$' /run/halo-drill.log || true
rm /run/halo-drill.log`,
  );
  const tries = new Map(
    output
      .split("\n")
      .filter(Boolean)
      .map((each) => JSON.parse(each) as { id: string; upstream: string })
      .map(({ id, upstream }) => [id, upstream.split(/, | : /)]),
  );
  const address = outcome.peer && findHost(outcome.peer).address;
  const tried = [...tries].filter(([, peers]) => peers.some((each) => each.split(":")[0] === address));
  return {
    ...outcome,
    shots: shots.toSorted((a, b) => a.at - b.at),
    before,
    after,
    triedPeer: new Set(tried.map(([id]) => id)),
    retried: [...tries.values()].filter((peers) => peers.length > 1).length,
  };
}
