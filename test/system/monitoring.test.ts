import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { findHost, ssh, viaLab } from "../../ops/cluster/hosts.ts";
import { hosts, inGroup, inventoryFile } from "../../ops/cluster/inventory.ts";
import { query } from "../../ops/cluster/prometheus.ts";
import { firewallServices, joined } from "../../ops/cluster/services.ts";
import { sites } from "../../ops/cluster/sites.ts";
import { root } from "../../ops/lib/paths.ts";
import { shellScript, withInput } from "../../ops/lib/script.ts";
import { app } from "../lib/app.ts";
import { ansible, backends, explainByJournals, must, on, type Result, sh, until } from "../lib/hosts.ts";
import { type Answer, domain, request, visit } from "../lib/http.ts";
import { render, rendered } from "../lib/nginx.ts";
import { atNight } from "../lib/night.ts";
import { metricsLogin, metricsSite } from "../lib/prometheus.ts";

beforeEach(explainByJournals);
const read = (path: string) => parse(readFileSync(join(root, "ansible", path), "utf8"));
const [monitoring = ""] = inGroup("monitoring").map(({ name }) => name);
const [, second = ""] = backends;
const { username, password } = metricsLogin();
const folder = mkdtempSync(join(tmpdir(), "halo-monitoring-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** One request to the metrics' name, as the user halo where a password is given. */
const ask = (path: string, secret = password, headers: Record<string, string> = {}): Promise<Answer> =>
  request(path, { headers: { Host: metricsSite, ...headers }, ...(secret ? { auth: `${username}:${secret}` } : {}) });
const prometheus = async (path: string) => JSON.parse((await ask(`/prometheus/api/v1/${path}`)).body).data;

/** Runs a role on a host, with other variables or another inventory. */
const role = async (name: string, host: string, settings: object = {}, inventory = inventoryFile): Promise<Result> => {
  const container = await on(host, "systemd-detect-virt --container || true");
  const seen = { host_facts: { container, "/usr/bin/prometheus-node-exporter": "present" } };
  return sh(
    viaLab([
      ...["env", `ANSIBLE_CONFIG=${join(root, "ansible/ansible.cfg")}`, "ansible", host, "--become"],
      ...["--inventory", inventory, "--playbook-dir", join(root, "ansible")],
      ...["--extra-vars", JSON.stringify({ ...seen, ...settings })],
      ...["--module-name", "ansible.builtin.include_role", "--args", `name=${name}`],
    ]),
  );
};

/** The inventory without a monitoring host. */
function unwatched(): string {
  const file = join(folder, "unwatched.yml");
  const text = readFileSync(inventoryFile, "utf8");
  const empty = text.replace(/( +monitoring:\n +hosts:)\n {8}\S+\n/, "$1 {}\n");
  expect(empty).not.toBe(text);
  writeFileSync(file, empty);
  return file;
}

describe("targets", () => {
  const [redis = ""] = inGroup("redis").map(({ name }) => name);

  test("are the inventory's, none is missing and every one is up", async () => {
    const services = firewallServices();
    const secure = sites().flatMap(({ domain, tls }) => (tls === "off" ? [] : [`/${domain}`]));
    const wanted = Object.entries(joined<{ service: string; apps?: boolean; sites?: boolean }>("metrics_jobs"))
      .flatMap(([job, { service, apps, sites: each }]) => {
        const found = services[service]?.hosts.flatMap((group) => inGroup(group)) ?? [];
        const parts = each ? secure : [apps ? `/${app.name}/0` : ""];
        return found.flatMap(({ name }) => parts.map((part) => `${job} of ${name}${part}`));
      })
      .sort();
    expect(wanted).toEqual(
      expect.arrayContaining([`service of ${second}/${app.name}/0`, `node of ${second}`, `redis of ${redis}`]),
    );
    await until("every target is up", 20_000, async () => {
      const up = (await query("up")).filter(({ value }) => value === 1);
      const seen = up.map(({ labels }) => `${labels.job} of ${labels.instance}`).sort();
      expect(seen).toEqual(wanted);
      return true;
    });
    for (const { labels } of await query("up")) expect(labels.host).toBe(labels.instance?.split("/")[0]);
  });

  test("a worker says which host's it is, which app's, and which of its workers", async () => {
    const series = await query('process_resident_memory_bytes{job="service"}');
    expect(series.map(({ labels }) => [labels.host, labels.app, labels.worker, labels.instance]).sort()).toEqual(
      backends.map((name) => [name, app.name, "0", `${name}/${app.name}/0`]),
    );
  });

  test("each host's processes are distinguished, and the stores are asked as users that may do no more", async () => {
    const groups = await query('sum by (host, groupname) (namedprocess_namegroup_num_procs{groupname!="other"} > 0)');
    const seen = (host: string) =>
      groups.filter(({ labels }) => labels.host === host).map(({ labels }) => labels.groupname);
    for (const name of backends) expect(seen(name).sort()).toEqual(["exporters", "pm2", "worker"]);
    expect(seen(monitoring)).toEqual(
      expect.arrayContaining(["alertmanager", "exporters", "nginx", "postgres", "prometheus", "redis"]),
    );
    for (const name of [
      "redis_up",
      "pg_up",
      "nginx_up",
      'node_systemd_unit_state{name="nginx.service",state="active"}',
    ])
      expect([name, (await query(name)).map(({ value }) => value)]).toEqual([name, [1]]);
    const [postgres = ""] = inGroup("postgres").map(({ name }) => name);
    expect(await on(redis, "halo-redis-cli acl log")).not.toContain("monitor");
    const sql =
      "SELECT rolsuper OR has_table_privilege('prometheus', 'workshop.customers', 'SELECT') FROM pg_roles WHERE rolname = 'prometheus'";
    expect(await on(postgres, `cd /; sudo -u postgres psql -tA halo -c "${sql}"`)).toBe("f");
  });
});

describe("the balancer's metrics", () => {
  test("count requests from nginx's log, by site, status and backend", async () => {
    const count = async (what: string) => (await query(`sum(${what}) or vector(0)`))[0]?.value ?? 0;
    const refused = `edge_requests_total{site="${domain}",method="DELETE",status="404"}`;
    const answers = `edge_answers_total{backend=~"${backends.join("|")}"}`;
    const before = await Promise.all([refused, answers].map(count));
    for (let i = 0; i < 20; i++) expect((await request("/-/edge", { method: "DELETE" })).status).toBe(404);
    await until("the edge has counted 20", 15_000, async () => (await count(refused)) === (before[0] ?? 0) + 20);
    expect(await count(answers)).toBeGreaterThanOrEqual((before[1] ?? 0) + 20);
  });

  test("every try is read from a line, whatever a client has sent", async () => {
    const [a, b] = ["192.0.2.11:4000", "192.0.2.12:4000"];
    const line = (status: number, upstream = a, tries = "200", method = "GET", uri = "/", seconds = "0.004") =>
      `{"time":"t","id":"1","client":"192.0.2.1","site":"a.test","host":"h","method":"${method}","uri":"${uri}","status":${status},` +
      `"bytes":9,"seconds":${seconds},"upstream":"${upstream}","upstream_status":"${tries}","upstream_connect":"","upstream_seconds":"","ended":1.5,"agent":"x"}`;
    const lines = [
      line(200),
      line(404, a, "404", "GET", String.raw`/\"upstream\":\"x\"`),
      line(400, "", "", String.raw`GE\"T`),
      line(200, `${a}, ${b}`, "504, 200", "GET", "/", "2.002"),
      line(503, `${a}, ${b}, ${a}, ${b}`, "502, 502, 504, 502", "POST"),
      line(503, a, "502"),
      line(499, a, "-"),
      "no JSON",
    ];
    const file = "/run/halo-edge-sample.log";
    const flags = `--port 0 --one_shot --one_shot_format prometheus --emit_prog_label=false --progs /etc/mtail --logs ${file}`;
    const balancer = inGroup("balancers")[0]?.name ?? "";
    await on(balancer, withInput(`cat >${file}`, lines.join("\n")));
    const said = await on(balancer, `mtail ${flags} 2>/dev/null; rm ${file}`);
    const counted = said.split("\n").filter((each) => /^edge_/.test(each) && !/_bucket|_sum/.test(each));
    expect(counted.sort()).toEqual(
      [
        `edge_answers_total{upstream="${a}"} 2`,
        `edge_answers_total{upstream="${b}"} 1`,
        `edge_failed_tries_total{kind="error",upstream="${a}"} 2`,
        `edge_failed_tries_total{kind="error",upstream="${b}"} 2`,
        `edge_failed_tries_total{kind="timeout",upstream="${a}"} 2`,
        'edge_request_seconds_count{site="a.test"} 7',
        'edge_requests_total{method="GET",site="a.test",status="200"} 2',
        'edge_requests_total{method="GET",site="a.test",status="404"} 1',
        'edge_requests_total{method="GET",site="a.test",status="499"} 1',
        'edge_requests_total{method="GET",site="a.test",status="503"} 1',
        'edge_requests_total{method="POST",site="a.test",status="503"} 1',
        'edge_requests_total{method="other",site="a.test",status="400"} 1',
        'edge_retried_total{site="a.test"} 2',
      ].sort(),
    );
    expect(said).toContain('edge_request_seconds_bucket{site="a.test",le="0.005"} 6');
  });
});

describe("access", () => {
  test("paths that only an administrator on the host needs are closed, and no other page may frame an answer", async () => {
    for (const name of ["prometheus", "alertmanager"]) {
      for (const path of [
        "debug/pprof/",
        "debug/pprof/cmdline",
        "//debug/pprof/heap",
        "%64ebug/pprof/",
        "-/reload",
        "-/quit",
      ])
        expect([name, path, (await ask(`/${name}/${path}`)).status]).toEqual([name, path, 404]);
      expect((await ask(`/${name}/-/ready`)).headers).toMatchObject({
        "x-frame-options": "DENY",
        "content-security-policy": expect.stringContaining("frame-ancestors 'none'"),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
      });
    }
    expect((await ask("/prometheus/api/v1/admin/tsdb/snapshot")).status).toBe(404);
  });

  test("the pages ask for the password, and only theirs do", async () => {
    for (const path of ["/", "/prometheus/-/ready", "/alertmanager/-/ready"]) {
      for (const secret of ["", "wrong"]) {
        const refused = await ask(path, secret);
        expect([path, refused.status, refused.headers["www-authenticate"]]).toEqual([
          path,
          401,
          expect.stringMatching(/^Basic/),
        ]);
        expect(refused.headers["content-type"]).toBe("application/problem+json");
      }
      expect([path, (await ask(path)).status]).toEqual([path, 200]);
    }
    expect((await visit()).status).toBe(200);
    expect(
      await on(monitoring, `stat -c '%a %U:%G' /etc/nginx/login-${metricsSite}; cat /etc/nginx/login-${metricsSite}`),
    ).toMatch(/^640 root:www-data\nhalo:{SSHA}\S+$/);
  });

  test("a host that is not the monitoring one reaches none of its ports on any host", async () => {
    // Grafana is installed only where its packages were reachable.
    const { grafana: _, ...services } = firewallServices();
    const closed = Object.values(services).filter(
      ({ from, hosts }) => from.includes("monitoring") || (hosts.includes("monitoring") && !from.includes("any")),
    );
    expect(closed.length).toBeGreaterThan(8);
    const doors = hosts().flatMap((host) =>
      closed
        .filter((each) => each.hosts.some((group) => host.groups.includes(group)))
        .flatMap(({ ports }) => ports.map((port) => `${host.address}/${port}`)),
    );
    const knock = (from: string) =>
      must(
        ssh(
          findHost(from),
          `for door in ${doors.join(" ")}; do (timeout 2 bash -c "exec 3<>/dev/tcp/$door" 2>/dev/null && echo $door) & done; wait`,
        ),
      );
    const mine = doors.filter((door) => door.startsWith(`${findHost(second).address}/`));
    expect((await knock(second)).split("\n").sort()).toEqual(mine.sort());
    expect((await knock(monitoring)).split("\n").sort()).toEqual(doors.sort());
  });
});

describe("it must not take from the site", () => {
  test("every unit is bounded in memory, waits for the CPU and comes back", async () => {
    for (const { name } of hosts()) {
      const said = await on(
        name,
        `for unit in $(systemctl list-units --plain --no-legend --state=running 'prometheus*' mtail.service | cut -d ' ' -f 1); do echo $unit $(systemctl show -p MemoryMax -p CPUWeight -p OOMScoreAdjust -p Restart -p MemoryCurrent $unit); done`,
      );
      const units = said.split("\n");
      expect(units.length).toBeGreaterThan(1);
      for (const unit of units) {
        const value = (key: string) => unit.match(new RegExp(`\\b${key}=(\\S+)`))?.[1];
        expect([unit, value("CPUWeight"), value("OOMScoreAdjust"), value("Restart")]).toEqual([
          unit,
          "20",
          "500",
          "always",
        ]);
        expect(Number(value("MemoryMax")), unit).toBeLessThan(400 * 1024 * 1024);
        // Not every machine gives its containers a say over memory.
        const current = Number(value("MemoryCurrent"));
        if (!Number.isNaN(current)) expect(current, unit).toBeLessThanOrEqual(Number(value("MemoryMax")));
      }
    }
  });

  test("its CPU and memory are printed, and with them every host's processes fit the memory that the inventory says", async () => {
    const cpu = await query(
      'sum by (host) (rate(namedprocess_namegroup_cpu_seconds_total{groupname=~"exporters|prometheus|alertmanager"}[2m]))',
    );
    for (const { name, memory } of hosts()) {
      const [all = 0, watching = 0] = (await on(name, shellScript(new URL("programs/memory.sh", import.meta.url))))
        .split("\n")
        .map(Number);
      const share = (cpu.find(({ labels }) => labels.host === name)?.value ?? Number.NaN) * 100;
      console.log(
        `${name}: ${all} MiB of ${memory} (PSS); without monitoring ${all - watching}; monitoring's CPU ${share.toFixed(1)} %`,
      );
      expect(watching).toBeGreaterThan(10);
      expect(all).toBeLessThan(memory);
    }
  });

  atNight(
    "Prometheus flooded with questions, and killed: every visit is answered meanwhile, and it is back",
    async () => {
      const heavy = encodeURIComponent('sum by (host) (rate({__name__=~".+"}[1h]))');
      const now = Math.floor(Date.now() / 1000);
      let flooding = true;
      const flood = Promise.allSettled(
        Array.from({ length: 6 }, () =>
          ask(`/prometheus/api/v1/query_range?query=${heavy}&start=${now - 3600}&end=${now}&step=5`),
        ),
      ).finally(() => {
        flooding = false;
      });
      const slow: number[] = [];
      const going = async () => {
        const { status, ms } = await visit();
        expect(status).toBe(200);
        slow.push(ms);
      };
      for (let i = 0; i < 50 || (flooding && i < 200); i++) await going();
      await flood;
      await on(monitoring, "systemctl kill -s KILL prometheus");
      for (let i = 0; i < 50; i++) await going();
      await until("Prometheus answers again", 30_000, async () => (await ask("/prometheus/-/ready")).status === 200);
      console.log(`slowest of ${slow.length} visits beside the flood: ${Math.max(...slow).toFixed(0)} ms`);
      expect(Math.max(...slow)).toBeLessThan(2000);
    },
  );

  test("its metrics are bounded by size and time", async () => {
    const flags = await prometheus("status/flags");
    const defaults = read("roles/monitoring/defaults/main.yml");
    expect(flags["storage.tsdb.retention.size"]).toBe(`${defaults.monitoring_retention_size}MiB`);
    expect(flags["storage.tsdb.retention.time"]).toBe(`${defaults.monitoring_retention_days}d`);
  });
});

atNight("a wrong configuration is refused with promtool's words, and the old one goes on", async () => {
  const sums = () => on(monitoring, "find /etc/prometheus -type f | sort | xargs sha256sum");
  const before = await sums();
  const { code, output } = await role("monitoring", monitoring, { monitoring_scrape_interval: -8 });
  expect([code, output]).toEqual([2, expect.stringMatching(/not a valid duration string/)]);
  expect(await sums()).toBe(before);
  expect((await prometheus("status/config")).yaml).toContain("scrape_interval: 10s");
  const again = await role("monitoring", monitoring);
  expect([again.code, again.output]).toEqual([0, expect.not.stringContaining("CHANGED")]);
});

atNight(
  "verify names rules that are not loaded and files of metrics that are not read, and site.yml's role puts the rules' folder right",
  async () => {
    const file = "/var/lib/prometheus/node-exporter/halo-test.prom";
    await on(
      monitoring,
      `chmod 0700 /etc/prometheus/rules; systemctl reload prometheus; umask 077; echo 'halo_test{a="b"} 1' >${file}`,
    );
    try {
      const unread = async () => (await query("node_textfile_scrape_error > 0")).length > 0;
      await until("the exporter's complaint is scraped", 60_000, unread);
      const { code, output } = await ansible("verify.yml");
      expect([code, output]).toEqual([2, expect.stringMatching(/is not loaded and \d+ more.*site\.yml/)]);
      expect(output).toMatch(new RegExp(`WRONG +${monitoring} +node exporters read.*not on ${monitoring}: `));
      const { output: said } = await role("monitoring", monitoring);
      expect(said).toMatch(/prometheus: reload/);
      expect(await on(monitoring, "stat -c %a /etc/prometheus/rules")).toBe("755");
    } finally {
      await on(monitoring, `rm -f ${file}; chmod 0755 /etc/prometheus/rules; systemctl reload prometheus`);
    }
    await until(
      "nothing is left of it",
      60_000,
      async () => (await query("node_textfile_scrape_error > 0")).length === 0,
    );
  },
);

atNight("site.yml --check --diff shows exactly the changes of a host, and makes none", async () => {
  const rules = "/etc/prometheus/rules/monitoring.yml";
  const state = () =>
    on(
      monitoring,
      "find /etc /usr/local /opt -xdev -type f -printf '%p %m %u %C@\\n' | sort | sha256sum; systemctl show -p ActiveEnterTimestamp prometheus prometheus-node-exporter nginx",
    );
  const check = async (settings: object) => {
    const { code, output } = await ansible(
      ...["site.yml", "--check", "--diff", "--limit", `${monitoring},localhost`],
      ...["--extra-vars", JSON.stringify(settings)],
    );
    expect([code, output]).toEqual([0, expect.any(String)]);
    return output;
  };
  const shown = (output: string) => [...output.matchAll(/^\+\+\+ after: (\S+)/gm)].map(([, path]) => path);
  await on(monitoring, `cp -p ${rules} /run/rules.yml; sed -i 's/^groups:/# An older text\\n&/' ${rules}`);
  try {
    const before = await state();
    const output = await check({ exporters_watched_units: "(halo@.+|nginx)[.]service", nginx_keepalive_timeout: 21 });
    expect(shown(output).sort()).toEqual(
      [rules, "/etc/systemd/system/prometheus-node-exporter.service.d/halo.conf", "/etc/nginx/nginx.conf"].sort(),
    );
    expect(output).toMatch(/^-# An older text$/m);
    expect(output).toMatch(/^reload prometheus$/m);
    expect(output).toMatch(/^restart prometheus-node-exporter$/m);
    expect(await state()).toBe(before);
  } finally {
    await on(monitoring, `mv /run/rules.yml ${rules}`);
  }
  expect(shown(await check({}))).toEqual([]);
});

atNight("each role restarts its own of the units that a run that was cut short has left", async () => {
  const pending = "/run/halo-config.json";
  const left = () => on(monitoring, `cat ${pending} 2>/dev/null || true`);
  await on(monitoring, `echo '{"restart": ["prometheus-node-exporter"], "reload": ["prometheus"]}' >${pending}`);
  for (const [name, then] of [
    ["exporters", '{"restart": [], "reload": ["prometheus"]}'],
    ["monitoring", ""],
  ] as const) {
    const { code, output } = await role(name, monitoring);
    expect([code, output]).toEqual([0, expect.stringContaining("CHANGED")]);
    expect(await left()).toBe(then);
  }
});

describe("planned work", () => {
  type Silence = {
    id: string;
    status: { state: string };
    comment: string;
    endsAt: string;
    matchers: { name: string; value: string }[];
  };
  const silences = async (): Promise<Silence[]> => JSON.parse((await ask("/alertmanager/api/v2/silences")).body);

  test("silences the alerts that it names until it ends, and is marked", async () => {
    const text = `a "test" of ${Date.now()}`;
    const id = await on(monitoring, `halo-planned begin drill '${text}' 600 alertname=NoSuchAlert host=~"backend.*"`);
    const mine = async () => (await silences()).find((each) => each.id === id);
    expect(await mine()).toMatchObject({ status: { state: "active" }, comment: `drill: ${text}` });
    expect((await mine())?.matchers.map(({ name, value }) => [name, value]).sort()).toEqual([
      ["alertname", "NoSuchAlert"],
      ["host", "backend.*"],
    ]);
    await on(monitoring, `halo-planned end drill '${text}' ${id}`);
    const left = Date.parse((await mine())?.endsAt ?? "") - Date.now();
    expect(left).toBeLessThan(35_000);
    await until("both marks exist", 25_000, async () => {
      const marks = (await query('halo_event_timestamp_seconds{kind="drill"}')).filter(
        (each) => each.labels.text === text,
      );
      return (
        marks
          .map((each) => each.labels.edge)
          .sort()
          .join() === "begin,end"
      );
    });
  });

  atNight("goes on where monitoring is away, and keeps no more than 100 lines", async () => {
    const file = "/var/lib/prometheus/node-exporter/halo-events.prom";
    await on(monitoring, `systemctl stop prometheus-alertmanager; cp ${file} ${file}.kept`);
    try {
      const said = await on(
        monitoring,
        `for i in $(seq 60); do for action in begin end; do halo-planned $action deploy "mark $i"; done; done; halo-planned begin deploy last 5 alertname=NoSuchAlert; wc -l <${file}`,
      );
      expect(said).toMatch(/did not add the silence[\s\S]*\b100$/);
    } finally {
      await on(monitoring, `mv ${file}.kept ${file}; systemctl start prometheus-alertmanager`);
    }
  });
});

describe("without a monitoring host", () => {
  atNight("nginx says 503 where the metrics were, and an exporter's host runs none", async () => {
    const inventory = unwatched();
    const { code, output } = await render({}, inventory);
    expect([code, output]).toEqual([0, expect.any(String)]);
    const text = await rendered();
    expect(text).not.toMatch(/upstream prometheus/);
    expect(text).toMatch(/location \/prometheus\/ {\s+try_files \/- =503;/);

    const units = "--plain --no-legend --state=running 'prometheus*' grafana-server.service";
    const running = () => on(second, `systemctl list-units ${units} | wc -l`);
    expect(await running()).toBe("2");
    // Grafana's packages cannot be had everywhere.
    const grafana = "/run/systemd/system/grafana-server.service";
    await on(
      second,
      `printf '[Service]\\nExecStart=sleep 600\\n' >${grafana}; systemctl daemon-reload; systemctl start grafana-server`,
    );
    try {
      expect(await running()).toBe("3");
      const off = await role("exporters", second, {}, inventory);
      expect([off.code, off.output]).toEqual([0, expect.any(String)]);
      expect(await running()).toBe("0");
    } finally {
      await on(second, `rm ${grafana}; systemctl daemon-reload`);
      const back = await role("exporters", second);
      expect([back.code, back.output]).toEqual([0, expect.any(String)]);
    }
    expect(await running()).toBe("2");
  });
});
