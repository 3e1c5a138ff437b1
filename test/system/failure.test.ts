import { beforeEach, describe, expect, test } from "vitest";
import { shellScript } from "../../ops/lib/script.ts";
import { app } from "../lib/app.ts";
import { ansible, backends, explainByJournals, on, until, vagrant } from "../lib/hosts.ts";
import { answerInTurn, request, visit } from "../lib/http.ts";
import { atNight, wholeNight } from "../lib/night.ts";

beforeEach(explainByJournals);

const total = async () => (await visit()).visit.total_visits ?? Number.NaN;
const bootedAt = (name: string) => on(name, "stat -c %Y /proc/1");
async function reboot(name: string): Promise<void> {
  const before = await bootedAt(name);
  await on(name, "systemctl reboot").catch(() => {}); // the connection dies with the host
  await until(`${name} has rebooted`, 60_000, async () => (await bootedAt(name)) !== before);
}
const [first = "", second = ""] = backends;

describe("total_visits goes on after", () => {
  test("a reboot of a backend, which serves again without any provisioning", async () => {
    const before = await total();
    await reboot(first);
    await answerInTurn();
    expect(await total()).toBeGreaterThan(before);
  });

  test("a reboot of the balancer", async () => {
    const before = await total();
    await reboot("balancer");
    await until("a visit is counted", 60_000, async () => (await visit()).status === 200);
    expect(await total()).toBeGreaterThan(before);
    await answerInTurn();
  });
});

test("Redis stopped: the contract's 503 within 1 s, each time; started: 200 within 2 s, without a restart of the service", async () => {
  const pids = () => on(first, `pgrep ${app.workers}`);
  const before = await pids();
  await on("balancer", "systemctl stop redis-server");
  try {
    for (let i = 0; i < 10; i++) {
      const { status, headers, visit: body, ms } = await visit();
      expect({ status, ...body }).toMatchObject({
        status: 503,
        database_status: "Terputus",
        total_visits: null,
        container_id: expect.toBeOneOf(backends),
      });
      expect(Number(headers["retry-after"])).toBeGreaterThan(0);
      expect(ms).toBeLessThan(1000);
    }
  } finally {
    await on("balancer", "systemctl start redis-server");
  }
  expect(await until("a visit is counted", 10_000, async () => (await visit()).status === 200)).toBeLessThan(2000);
  expect(await pids()).toBe(before);
});

test("vagrant halt of a backend: the site answers, and site.yml serves the rest and names it; vagrant up: both answer, with no other command", async () => {
  await vagrant("halt", first);
  try {
    for (let i = 0; i < 20; i++) expect((await visit()).visit.container_id).not.toBe(first);
    if (wholeNight) {
      const { output } = await ansible("site.yml");
      expect(output).toMatch(new RegExp(`${second}\\s+: ok=\\d+\\s+changed=0\\s+unreachable=0\\s+failed=0`));
      expect(output).toMatch(
        new RegExp(`(skipped|not reached|unreachable).*${first}|${first}.*(skipped|not reached|unreachable)`, "i"),
      );
    }
  } finally {
    await vagrant("up", first);
  }
  await answerInTurn();
});

test("every backend stopped: nginx itself answers a clean 503 with Retry-After, as a page and as JSON", async () => {
  try {
    await Promise.all(backends.map((name) => on(name, `systemctl stop ${app.unit}`)));
    const json = await request();
    expect(json.status).toBe(503);
    expect(Number(json.headers["retry-after"])).toBeGreaterThan(0);
    expect(JSON.parse(json.body)).toMatchObject({ status: 503 });
    const page = await request("/", { headers: { Accept: "text/html" } });
    expect([page.status, page.headers["content-type"]]).toEqual([503, expect.stringMatching(/^text\/html/)]);
    expect(page.body).toContain('<a href="">Try again</a>');
  } finally {
    await Promise.all(backends.map((name) => on(name, `systemctl start ${app.unit}`)));
  }
  await answerInTurn();
});

atNight(
  "a Redis that was here before Halo, with its data in a snapshot only, keeps them when the append-only file is switched on",
  async () => {
    await on("balancer", shellScript(new URL("programs/redis-before-halo.sh", import.meta.url)));
    const { code, output } = await ansible("site.yml", "--limit", "balancers,localhost");
    expect(code, output).toBe(0);
    expect(await on("balancer", "halo-redis-cli config get appendonly | tail -n 1")).toBe("yes");
    await on("balancer", "systemctl kill -s KILL redis-server");
    await until("a visit is counted", 20_000, async () => (await visit()).status === 200);
    expect(await total()).toBeGreaterThan(4711);
  },
);
