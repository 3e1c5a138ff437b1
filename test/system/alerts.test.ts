import { createServer, type RequestOptions } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { inGroup } from "../../ops/cluster/inventory.ts";
import { query } from "../../ops/cluster/prometheus.ts";
import { alerts, metricsOf, rules } from "../lib/alerts.ts";
import { app } from "../lib/app.ts";
import { ansible, backends, explainByJournals, on, sh, until } from "../lib/hosts.ts";
import { balancerAddress, request } from "../lib/http.ts";
import { atNight } from "../lib/night.ts";
import { metricsLogin, metricsSite, traffic } from "../lib/prometheus.ts";

beforeEach(explainByJournals);
const monitoring = inGroup("monitoring")[0]?.name ?? "";
const [first = ""] = backends;
const config = "/etc/prometheus/alertmanager.yml";
const put = (name: string, state: "start" | "stop") => on(name, `systemctl ${state} ${app.unit}`);

type Message = {
  path: string;
  status: "firing" | "resolved";
  groupLabels: Record<string, string>;
  alerts: { labels: Record<string, string>; annotations: Record<string, string> }[];
};
const messages: Message[] = [];
const of = (host: string, since = 0) => messages.slice(since).filter(({ groupLabels }) => groupLabels.host === host);
const receiver = createServer(async (incoming, answer) => {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  messages.push({ path: incoming.url, ...JSON.parse(Buffer.concat(chunks).toString()) });
  answer.end();
});

/** Asks Prometheus or Alertmanager through the balancer; an answer without a body is null. */
async function ask<T>(path: string, options: RequestOptions = {}, body?: string): Promise<T> {
  const { username, password } = metricsLogin();
  const auth = `${username}:${password}`;
  const answer = await request(path, { ...options, auth, headers: { ...options.headers, Host: metricsSite } }, body);
  expect([answer.status, answer.body]).toEqual([200, answer.body]);
  return JSON.parse(answer.body || "null");
}
type Active = { labels: Record<string, string>; status: { state: string; silencedBy: string[] } };
const active = async (host: string) =>
  (await ask<Active[]>("/alertmanager/api/v2/alerts")).filter(({ labels }) => labels.host === host);

beforeAll(async () => {
  // The controller is .1 of the hosts' network.
  const here = balancerAddress.replace(/\d+$/, "1");
  await new Promise<void>((resolve) => receiver.listen(0, here, resolve));
  const url = `http://${here}:${(receiver.address() as AddressInfo).port}`;
  await on(monitoring, `cp --archive ${config} /run/alertmanager.yml`);
  const where = ["--limit", `${monitoring},localhost`];
  const { code, output } = await ansible(
    ...["site.yml", ...where, "-e", `alert_webhook=${url}/people`, "-e", `alert_deadman=${url}/deadman`],
  );
  expect(code, output).toBe(0);
  // A deploy that was killed leaves its own for some minutes.
  const silences = await ask<{ id: string; status: { state: string } }[]>("/alertmanager/api/v2/silences");
  for (const { id } of silences.filter(({ status }) => status.state === "active"))
    await ask(`/alertmanager/api/v2/silence/${id}`, { method: "DELETE" });
  // A young one does not miss a backend yet.
  const old = 'time() - process_start_time_seconds{job="prometheus"} > 120';
  await until("Prometheus has run for two minutes", 180_000, async () => (await query(old)).length > 0);
});

afterAll(async () => {
  await put(first, "start");
  await on(monitoring, `mv /run/alertmanager.yml ${config} && systemctl reload prometheus-alertmanager`);
  receiver.close();
});

test("a stopped backend raises one message within 60 s, and its return another", async () => {
  const since = performance.now();
  await put(first, "stop");
  const sent = await until("a message is sent", 60_000 - (performance.now() - since), async () => of(first).length > 0);
  await put(first, "start");
  const back = await until("it is resolved", 60_000, async () => of(first).at(-1)?.status === "resolved");
  console.log(`sent after ${(sent / 1000).toFixed(0)} s, resolved after ${(back / 1000).toFixed(0)} s`);
  const { labels, annotations } = alerts.find(({ alert }) => alert === "BackendDown") ?? {};
  const alert = {
    labels: expect.objectContaining({ alertname: "BackendDown", host: first, ...labels }),
    annotations: expect.objectContaining({ runbook: annotations?.runbook }),
  };
  expect(of(first)).toMatchObject(
    ["firing", "resolved"].map((status) => ({ status, path: "/people", alerts: [alert] })),
  );
});

atNight("the dead-man's switch hears that alerts are sent, and nobody else does", async () => {
  const watchdog = () => messages.filter((each) => each.alerts.some(({ labels }) => labels.alertname === "Watchdog"));
  await until("the watchdog has called", 70_000, async () => watchdog().length > 0);
  expect(new Set(watchdog().map(({ path }) => path))).toEqual(new Set(["/deadman"]));
});

atNight("a dead host is one message: it silences the warnings of its own, and the worse bound the lesser", async () => {
  // Of each run: a message is not repeated for four hours.
  const [dead, alive] = [`dead-${Date.now()}`, `alive-${Date.now()}`];
  const made = (host: string, severity: string, alertname: string) => ({
    labels: { host, severity, alertname },
    endsAt: new Date(Date.now() + 30_000).toISOString(),
  });
  const body = JSON.stringify([
    made(dead, "critical", "BackendDown"),
    made(dead, "warning", "NoScrape"),
    made(dead, "warning", "DiskLow"),
    made(dead, "critical", "DiskCritical"),
    made(alive, "warning", "NoScrape"),
  ]);
  await ask("/alertmanager/api/v2/alerts", { method: "POST", headers: { "Content-Type": "application/json" } }, body);
  await until("both hosts have a message", 30_000, async () => of(dead).length > 0 && of(alive).length > 0);
  const sent = (host: string) => of(host).map((each) => each.alerts.map(({ labels }) => labels.alertname).sort());
  expect(sent(dead)).toEqual([["BackendDown", "DiskCritical"]]);
  expect(sent(alive)).toEqual([["NoScrape"]]);
});

describe("planned work", () => {
  atNight("a silenced alert is sent to nobody", async () => {
    const before = messages.length;
    const said = await on(
      monitoring,
      `halo-planned begin drill "a test's" 300 host=${first} 'alertname=~"BackendDown|NoScrape"'`,
    );
    const silence = said.match(/^[0-9a-f-]{36}$/m)?.[0] ?? said;
    await put(first, "stop");
    await until("the alert fires, silenced", 60_000, async () =>
      (await active(first)).some(({ status }) => status.silencedBy.includes(silence)),
    );
    await put(first, "start");
    await until("the alert is gone", 60_000, async () => (await active(first)).length === 0);
    await on(monitoring, `halo-planned end drill "a test's" ${silence}`);
    expect(of(first, before)).toEqual([]);
  });

  atNight("a deploy silences the alerts that it causes on the backend at which it is, and no others", async () => {
    const { code, output } = await sh(["npm", "run", "-s", "deploy"]);
    expect(code, output).toBe(0);
    const release = output.match(/release (\S+) is in service/)?.[1] ?? "no release";
    type Silence = { comment: string; endsAt: string; matchers: { name: string; value: string; isRegex: boolean }[] };
    const silences = await ask<Silence[]>("/alertmanager/api/v2/silences");
    const its = silences.filter(({ comment }) => comment.includes(release));
    expect(its.map(({ matchers }) => matchers.find(({ name }) => name === "host")?.value).sort()).toEqual(backends);
    for (const { matchers, endsAt } of its) {
      expect(matchers.find(({ name }) => name === "alertname")?.value).toBe("AppDown|BackendDown|BackendIdle|NoScrape");
      expect(Date.parse(endsAt)).toBeLessThan(Date.now() + 31_000); // given up before its time
    }
  });
});

test("every rule works on this cluster, and every metric in it is one that there is", async () => {
  type Rules = { data: { groups: { rules: { name: string; health: string; lastError?: string }[] }[] } };
  const { data } = await ask<Rules>("/prometheus/api/v1/rules");
  const loaded = data.groups.flatMap((group) => group.rules);
  expect(loaded.map(({ name }) => name).sort()).toEqual(
    rules.map((rule) => ("alert" in rule ? rule.alert : rule.record)).sort(),
  );
  expect(loaded.filter(({ health }) => health !== "ok")).toEqual([]);
  // There only after a drain, a backup, a public CA's certificate; and where the kernel and the service's cgroup count it.
  const sometimes = [
    "halo_drained",
    "host:drained",
    "halo_backup_timestamp_seconds",
    "certificate_life_days",
    "node_pressure_cpu_waiting_seconds_total",
    "service_cpu_throttled_seconds_total",
    "service_memory_bytes",
    "service_memory_limit_bytes",
  ];
  const read = new Set(rules.flatMap(({ expr }) => metricsOf(expr)));
  let missing: string[] = [];
  const stop = traffic();
  await until("every metric exists", 90_000, async () => {
    const { data: names } = await ask<{ data: string[] }>("/prometheus/api/v1/label/__name__/values");
    missing = [...read].filter((name) => !names.includes(name) && !sometimes.includes(name));
    return missing.length === 0;
  })
    .catch(() => expect(missing).toEqual([]))
    .finally(stop);
});
