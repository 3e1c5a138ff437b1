import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { findHost } from "../../ops/cluster/hosts.ts";
import { firewallServices } from "../../ops/cluster/services.ts";
import { siteOf } from "../../ops/cluster/sites.ts";
import { root } from "../../ops/lib/paths.ts";
import { quote, textOf } from "../../ops/lib/script.ts";
import { app } from "../lib/app.ts";
import { backends, explainByJournals, on, until } from "../lib/hosts.ts";
import { type Answer, balancerAddress, domain, port, portFor, request, visit } from "../lib/http.ts";
import { render, rendered } from "../lib/nginx.ts";
import { atNight } from "../lib/night.ts";

beforeEach(explainByJournals);
const [first = "", second = ""] = backends;
const yaml = (...path: string[]) => parse(readFileSync(join(root, "ansible", ...path), "utf8"));
const {
  nginx_rate_limit: rate,
  nginx_rate_burst: burst,
  nginx_connections_per_client: underWay,
  nginx_connections,
} = yaml("roles/nginx/defaults/main.yml");
const perAddress = firewallServices().http?.connections_per_address ?? 0;

/** Runs test/lib/flood.ts on a host, whose address is limited; resolves with its output. */
async function flood<T>(host: string, mode: string, name: string, ...words: (number | string)[]): Promise<T> {
  const program = readFileSync(join(root, "test/lib/flood.ts")).toString("base64");
  const node = "/opt/halo/runtime/current/bin/node --input-type=module-typescript -";
  return JSON.parse(
    await on(
      host,
      `echo ${program} | base64 -d | ${node} ${mode} ${balancerAddress} ${portFor(name)} ${name} ${words.join(" ")}`,
    ),
  );
}
type Kind = { status: number; type?: string; retryAfter?: string; by?: string; count: number };
const sum = (kinds: Kind[], status: number) =>
  kinds.filter((kind) => kind.status === status).reduce((total, { count }) => total + count, 0);

/** Asks again and again from here, the unlimited address, until the promise is resolved; resolves with all answers. */
async function meanwhile(busy: Promise<unknown>): Promise<Answer[]> {
  let going = true;
  const stop = () => {
    going = false;
  };
  busy.then(stop, stop);
  const answers: Answer[] = [];
  while (going) answers.push(await visit());
  return answers;
}

describe("requests a second", () => {
  test("one address over the limit gets 429 with Retry-After from nginx itself; nobody else does", async () => {
    const since = performance.now();
    const flooding = flood<Kind[]>(first, "requests", domain, 1500, 10_000);
    const answers = await meanwhile(flooding);
    const kinds = await flooding;
    const seconds = (performance.now() - since) / 1000;
    expect(sum(kinds, 200) + sum(kinds, 429)).toBe(1500);
    expect(sum(kinds, 200)).toBeGreaterThanOrEqual(burst);
    expect(sum(kinds, 200)).toBeLessThanOrEqual(burst + rate * seconds + 1);
    for (const type of ["application/problem+json", "text/html; charset=utf-8"])
      expect(kinds).toContainEqual({ status: 429, type, retryAfter: "1", count: expect.any(Number) }); // and no `by`
    expect(answers.length).toBeGreaterThan(0);
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  });

  test("the controller's address may ask faster than that for ever", async () => {
    const statuses = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const own: number[] = [];
        while (own.length < burst) own.push((await visit()).status);
        return own;
      }),
    );
    expect(statuses.flat().filter((status) => status !== 200)).toEqual([]);
  });

  test.each([
    ["another site", siteOf("workshop")?.domain ?? "", 200, "GET"],
    ["a name that is not ours", "other.example", 421, "GET"],
    ["a method of its own", domain, 400, "FROB"],
  ])("%s is no way around it", async (_, name, status, method) => {
    const kinds = await flood<Kind[]>(first, "requests", name, 1500, 10_000, method);
    expect(sum(kinds, 429)).toBeGreaterThan(0);
    expect(sum(kinds, status) + sum(kinds, 429)).toBe(1500);
  });

  test("one address cannot use up the questions of all about the sites' states", async () => {
    const ask = `curl -s -o /dev/null -w '%{http_code} ' -H 'Host: ${domain}' http://${balancerAddress}:${portFor(domain)}/-/state.json`;
    const statuses = (host: string, count: number) => on(host, `for i in $(seq ${count}); do ${ask}; done`);
    expect(await statuses(first, 60)).toMatch(/^(200 ){10}.*429/);
    expect(await statuses(second, 3)).toBe("200 200 200");
  });

  atNight(
    "refusals that nginx does not count do not fill the log, and a client's search texts are not in it",
    async () => {
      const log = "/var/log/nginx/access.log";
      const logged = async (what: string) => Number(await on("balancer", `grep -c '${what}' ${log} || true`));
      const broken = `"client":"${findHost(first).address}".*"upstream":""`;
      const before = await logged(broken);
      expect(sum(await flood<Kind[]>(first, "requests", "no..name", 1500, 10_000), 400)).toBe(1500);
      const path = `/-/${randomUUID()}`;
      await request(`${path}?search=Ayu`);
      await until("it is logged", 10_000, async () => (await logged(`"uri":"${path}"`)) === 1);
      expect((await logged(broken)) - before).toBeLessThan(100);
    },
  );

  test("under it every request is answered, a moment after the flood as well", async () => {
    await until("the flood is forgiven", 10_000, async () => {
      const kinds = await flood<Kind[]>(first, "requests", domain, 1, 1);
      return sum(kinds, 200) === 1;
    });
    expect(sum(await flood<Kind[]>(first, "requests", domain, 100, rate * 0.8), 200)).toBe(100);
  });
});

test("a client with limits gets lists from the service's memory, whatever it asks", async () => {
  const name = siteOf("workshop")?.domain ?? "";
  const path = "/api/customers?limit=1";
  const headers = { Host: name, "X-Halo-Cache": "off" };
  // A list is kept from the first write on.
  const made = await request(
    "/api/customers",
    { method: "POST", headers: { ...headers, "Content-Type": "application/json" } },
    JSON.stringify({ name: "Uji", phone: "0812-0000" }),
  );
  await request(`/api/customers/${JSON.parse(made.body).id}`, {
    method: "DELETE",
    headers: { ...headers, "If-Match": "*" },
  });
  const given = Object.entries(headers).map(([header, value]) => `-H '${header}: ${value}'`);
  const curl = `curl -s -o /dev/null -D - ${given.join(" ")} 'http://${balancerAddress}:${portFor(name)}${path}'`;
  await until("a list from memory", 10_000, async () => /^x-cache: hit/im.test(await on(first, curl)));
  expect((await request(path, { headers })).headers["x-cache"]).toBe("off");
});

test("slow clients and a flood of connections from one address: the next is refused, the slow ones are ended, nobody else waits", async () => {
  // The connections that the floods before have closed are forgotten.
  await until("no connection is left", 20_000, async () => (await open()) === "");
  const flooding = flood<Record<string, number>>(first, "slow", domain, underWay + 50, perAddress);
  const answers = await meanwhile(flooding);
  const { seconds, "429": tooMany = 0, cut = 0, refused = 0, ...others } = await flooding;
  expect({ all: tooMany + cut + refused, others }).toEqual({ all: underWay + 50 + perAddress, others: {} });
  expect(tooMany).toBeGreaterThanOrEqual(50);
  expect(cut).toBeGreaterThanOrEqual(perAddress - tooMany);
  expect(refused).toBeGreaterThanOrEqual(underWay + 50 - tooMany); // one that got 429 makes room for another
  expect(seconds).toBeLessThan(15);
  const slowest = answers.map(({ ms }) => ms).toSorted((a, b) => b - a);
  const p99 = slowest[Math.floor(slowest.length / 100)];
  console.log(
    `${answers.length} requests beside ${perAddress} slow clients: p99 ${p99?.toFixed(0)} ms, slowest ${slowest[0]?.toFixed(0)} ms`,
  );
  expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  expect(p99).toBeLessThan(250);
  expect(await open()).toBe("");
});
const open = () => on("balancer", `ss -Htn state established "( sport = :${port} )" dst ${findHost(first).address}`);

test("one address cannot take all connections of a worker", () => {
  expect(perAddress + underWay).toBeLessThan(nginx_connections);
});

describe("requests that are sent again to another backend", () => {
  /** Sends requests to a path of this test's own until the condition holds; resolves with their statuses. */
  async function send(method: string, path: string, what: string, done: () => Promise<boolean>): Promise<number[]> {
    const statuses: number[] = [];
    await until(what, 30_000, async () => {
      for (let i = 0; i < 4; i++) statuses.push((await request(path, { method })).status);
      return done();
    });
    return statuses;
  }
  const path = () => `/-/${randomUUID()}`;

  test("a POST that could not be delivered, and a GET in any case; not a POST that a backend has seen", async () => {
    const servicePort = app.port;
    const deaf = `--input-type=module-typescript --eval ${quote(textOf(new URL("programs/deaf.ts", import.meta.url)))}`;
    const heard = async (line: string) => Number(await on(first, `grep -cx "${line}" /run/halo-deaf.log || true`));
    try {
      await on(first, `systemctl stop ${app.unit}`);
      const refused = path();
      const tried = () =>
        on("balancer", `grep -c '"uri":"${refused}".*"upstream_status":"502, 404"' /var/log/nginx/access.log || true`);
      const undelivered = await send(
        "POST",
        refused,
        "a POST met the stopped backend",
        async () => Number(await tried()) > 0,
      );
      expect(undelivered.filter((status) => status !== 404)).toEqual([]);

      await on(
        first,
        `: > /run/halo-deaf.log; systemd-run -q --collect --expand-environment=no --unit=halo-deaf /opt/halo/runtime/current/bin/node ${deaf} deaf ${servicePort} /run/halo-deaf.log`,
      );
      const [posted, got] = [path(), path()];
      const posts = await send(
        "POST",
        posted,
        "a POST met the deaf backend",
        async () => (await heard(`POST ${posted}`)) > 0,
      );
      expect(posts.filter((status) => status === 503).length).toBe(await heard(`POST ${posted}`));
      expect(posts.filter((status) => status !== 503 && status !== 404)).toEqual([]);
      const gets = await send("GET", got, "a GET met the deaf backend", async () => (await heard(`GET ${got}`)) > 0);
      expect(gets.filter((status) => status !== 404)).toEqual([]);
    } finally {
      await on(first, `systemctl stop halo-deaf 2>/dev/null; rm -f /run/halo-deaf.log; systemctl start ${app.unit}`);
    }
    await until("both answer", 60_000, async () => {
      const names = [(await visit()).visit.container_id, (await visit()).visit.container_id];
      return names.includes(first) && names.includes(second);
    });
  });
});

describe("nginx's configuration with other settings", () => {
  const limits = async () => (await rendered()).match(/^ +limit_(req|conn)(_zone)? .*(requests|connections).*;$/gm);

  atNight("0 switches a limit off", async () => {
    const off = await render({ nginx_rate_limit: 0, nginx_connections_per_client: 0, unlimited_addresses: [] });
    expect(off.code, off.output).toBe(0);
    expect(await limits()).toBeNull();
    const seven = await render({ nginx_rate_limit: 7, unlimited_addresses: ["10.0.0.0/8", "192.0.2.1"] });
    expect(seven.code, seven.output).toBe(0);
    expect(await limits()).toEqual([expect.stringContaining("rate=7r/s"), ...Array(3).fill(expect.any(String))]);
  });

  atNight("keepalive_min_timeout is set for an nginx that has it, and only then", async () => {
    const installed = await on("balancer", "nginx -v 2>&1 | tr -dc 0-9.");
    const older = installed.localeCompare("1.27.4", undefined, { numeric: true }) < 0;
    const { output } = await render({ host_facts: { nginx: "1.27.4" } });
    expect(output.includes("keepalive_min_timeout")).toBe(older); // nginx names a directive that it does not know
    expect((await render({ host_facts: { nginx: "1.27.3" } })).code).toBe(0);
  });
});
