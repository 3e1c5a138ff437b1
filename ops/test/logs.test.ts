import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findApp } from "../cluster/apps.ts";
import { hosts } from "../cluster/inventory.ts";
import { parseDuration } from "../lib/duration.ts";
import { root } from "../lib/paths.ts";
import { inOrder, type Line, parseJournal, parseNginx, render, serviceOf, traceRequest, tries } from "../logs/lines.ts";
import { findRequest, sourcesOf } from "../logs/sources.ts";

const app = findApp();
const id = "0123456789abcdef0123456789abcdef";
const access = (given = {}) =>
  JSON.stringify({
    time: "2026-11-21T12:00:01+00:00",
    id,
    client: "192.168.56.1",
    site: "a.test",
    host: "a.test",
    method: "GET",
    uri: "/",
    status: 200,
    bytes: 321,
    seconds: 0.304,
    upstream: "192.168.56.11:4000, 192.168.56.12:4000",
    upstream_status: "504, 200",
    upstream_connect: "-, 0.001",
    upstream_seconds: "0.300, 0.004",
    ended: 1795262401.25,
    agent: "curl",
    ...given,
  });
const journal = (message: unknown, given = {}) =>
  JSON.stringify({
    MESSAGE: message,
    __REALTIME_TIMESTAMP: "1795262401900000",
    _SYSTEMD_UNIT: "halo@demo.service",
    ...given,
  });
const service = (given = {}) =>
  journal(
    JSON.stringify({
      level: 30,
      time: "2026-11-21T12:00:01.249Z",
      pid: 7,
      id,
      method: "GET",
      path: "/",
      status: 200,
      ms: 3.2,
      client: "192.168.56.10",
      ...given,
    }),
  );
const nameOf = (address: string) => ({ "192.168.56.11": "backend1", "192.168.56.12": "backend2" })[address];
const sure = (line?: Line): Line => line ?? expect.fail("no line");

test("durations", () => {
  expect(["90", "90s", "10m", "1.5h", "2d"].map(parseDuration)).toEqual([90, 90, 600, 5400, 172800]);
  for (const wrong of ["", "m", "-5", "1w", "5 m", "1e3"]) expect(parseDuration(wrong)).toBeNaN();
});

test("units have the names that a person uses", () => {
  const units = ["halo@demo.service", "postgresql@17-main.service", "redis-server.service", "mtail.service"];
  expect(units.map(serviceOf)).toEqual(["demo", "postgres", "redis", "mtail"]);
  for (const unit of ["halo-candidate@demo.service", "halo-cron@demo.clean.service", "halo-cron@demo.clean.timer"])
    expect(serviceOf(unit)).toBe("demo");
});

test("a journal's line: its own time counts, bytes are text, systemd's lines about a unit are the unit's", () => {
  const line = sure(parseJournal("backend1", service()));
  expect(line).toMatchObject({ host: "backend1", service: "demo", fields: { id, status: 200 } });
  expect(new Date(line.time).toISOString()).toBe("2026-11-21T12:00:01.249Z");
  expect(parseJournal("b", journal([72, 105, 255]))?.text).toMatch(/^Hi/);
  expect(parseJournal("b", journal("Started", { _SYSTEMD_UNIT: "init.scope", UNIT: "nginx.service" }))).toMatchObject({
    service: "nginx",
    text: "Started",
    time: 1795262401900,
  });
  for (const time of [12, "250", "2026-11-21T12:00:01", "soon"])
    expect(parseJournal("b", journal(JSON.stringify({ time })))?.time, "not the app's").toBe(1795262401900);
  expect(parseJournal("b", "-- No entries --")).toBeUndefined();
  expect(parseJournal("b", journal("{half"))).toMatchObject({ text: "{half" });
});

test("nginx's lines: JSON with ms, the error log in UTC, NULs left out", () => {
  expect(parseNginx("balancer", access())?.time).toBe(1795262401250);
  expect(parseNginx("balancer", access({ ended: undefined }))?.time).toBe(1795262401000);
  expect(parseNginx("balancer", `\0\0${access()}`)?.fields?.id).toBe(id);
  expect(parseNginx("balancer", "2026/11/21 12:00:01 [warn] 1#1: *2 upstream")?.time).toBe(1795262401000);
  expect(parseNginx("balancer", "{half")).toBeUndefined();
});

test("nginx's lines from before the last rotation are read as well, the older ones first", () => {
  const folder = mkdtempSync(join(tmpdir(), "halo-logs-"));
  for (const [name, text] of Object.entries({ "access.log.1": "a\nb\n", "access.log": "c\n", "error.log": "d\n" }))
    writeFileSync(join(folder, name), text);
  const [, files] = sourcesOf("nginx", hosts(), { seconds: 7200, lines: 2, follow: false });
  const script = files?.script.replaceAll("/var/log/nginx", folder) ?? "";
  expect(spawnSync("sh", ["-c", script], { encoding: "utf8" }).stdout).toBe("b\nc\nd\n");
  rmSync(folder, { recursive: true });
});

test("nginx's line of a request is found whatever bytes its client has sent", () => {
  const folder = mkdtempSync(join(tmpdir(), "halo-logs-"));
  const line = Buffer.from(access({ agent: "a?b" }));
  line[line.indexOf("a?b") + 1] = 0xff;
  writeFileSync(
    join(folder, "access.log"),
    Buffer.concat([Buffer.from(`${access({ id: "f".repeat(32) })}\n`), line, Buffer.from("\n")]),
  );
  const { stdout } = spawnSync("bash", ["-c", findRequest(id, folder)], {
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C.UTF-8" },
  });
  rmSync(folder, { recursive: true });
  expect(parseNginx("balancer", stdout.trim())?.fields).toMatchObject({ id, agent: "a\ufffdb" });
});

test("every try of a request, also over two groups of upstreams and without any", () => {
  const fields = JSON.parse(access());
  expect(tries(fields)).toEqual([
    { upstream: "192.168.56.11:4000", status: "504", connect: undefined, seconds: 0.3 },
    { upstream: "192.168.56.12:4000", status: "200", connect: 0.001, seconds: 0.004 },
  ]);
  expect(tries({ upstream: "a:1, b:2 : c:3", upstream_status: "502, 502 : 200" })).toHaveLength(3);
  expect(tries({ upstream: "" })).toEqual([]);
});

test("one request with a failover is shown in the order of time", () => {
  const lines = [sure(parseNginx("balancer", access())), sure(parseJournal("backend2", service()))];
  expect(traceRequest(lines, nameOf).map((line) => render(line))).toEqual([
    "11-21 12:00:00.946 balancer nginx GET http://a.test/ from 192.168.56.1 (curl)",
    "11-21 12:00:00.946 balancer nginx try 1 of 2: backend1 192.168.56.11:4000: 504, no answer in time after 300 ms (connected in -)",
    "11-21 12:00:01.246 balancer nginx try 2 of 2: backend2 192.168.56.12:4000: 200 after 4 ms (connected in 1 ms)",
    `11-21 12:00:01.249 backend2 demo  GET / 200 3.2 ms id=${id}`,
    "11-21 12:00:01.250 balancer nginx answered 200 with 321 bytes after 304 ms",
  ]);
});

test("lines of several hosts in one order; those of one moment stay as they came", () => {
  const line = (time: number, text: string): Line => ({ time, host: "h", service: "s", text });
  const lines = [line(3, "d"), line(1, "a"), line(2, "b"), line(2, "c")];
  expect(inOrder(lines).map(({ text }) => text)).toEqual(["a", "b", "c", "d"]);
});

test("a line as a person reads it", () => {
  const said = (line?: Line) => render(sure(line)).slice(34);
  expect(said(parseNginx("balancer", access({ upstream: "", upstream_status: "", status: 404 })))).toBe(
    `GET a.test/ 404 304 ms from 192.168.56.1 bytes=321 agent=curl id=${id}`,
  );
  expect(said(parseNginx("balancer", access()))).toContain(
    "by 192.168.56.11:4000 504, no answer in time 300 ms, then 192.168.56.12:4000 200 4 ms",
  );
  const log = (fields: object) => parseJournal("backend1", journal(JSON.stringify(fields)));
  expect(
    said(log({ level: 40, time: "2026-11-21T12:00:00Z", pid: 1, reason: { code: "X" }, msg: "redis is unavailable" })),
  ).toBe('warn: redis is unavailable reason={"code":"X"}');
  expect(said(parseJournal("balancer", journal("plain words")))).toBe("plain words");
});

test("a client's bytes do not control the terminal, and make no second line", () => {
  const line = render(sure(parseNginx("balancer", access({ agent: "\x1b[2Jx\ny\x9b" }))));
  expect(line).toContain("agent=\\x1b[2Jx\\x0ay\\x9b");
});

test("a name is a host or a service; an unknown one is refused with the list", () => {
  const all = hosts();
  const span = { seconds: 600, lines: 10, follow: false };
  expect(sourcesOf(undefined, all, span).map(({ host }) => host.name)).toEqual(all.map(({ name }) => name));
  expect(sourcesOf("backend2", all, span)).toMatchObject([{ host: { name: "backend2" } }]);
  expect(sourcesOf("backend2", all, span)[0]?.script).toContain(`--unit='${app.unit}' --unit='${app.candidateUnit}' `);
  expect(sourcesOf("nginx", all, span)).toHaveLength(2);
  expect(sourcesOf(app.name, all, { ...span, follow: true }).every(({ script }) => script.endsWith("--follow"))).toBe(
    true,
  );
  expect(() => sourcesOf("mysql", all, span)).toThrow("there is no host and no service mysql");
});

test.each([
  [["mysql"], new RegExp(`no service mysql\nFix: name one of balancer, .*nginx, .*${app.name}`)],
  [["nginx", "redis"], /one host or service at a time/],
  [["--since", "soon"], /--since soon is not understood/],
  [["--lines", "-1"], /--lines/],
  [["--request", "x' ; id"], /is no request's id/],
  [["nginx", "--request", id], /--request takes no nginx/],
  [["--follow", "--request", id], /--request takes no --follow/],
])("npm run logs -- %j is refused", (args, message) => {
  const { status, stderr } = spawnSync(process.execPath, [join(root, "ops/logs.ts"), ...args], { encoding: "utf8" });
  expect(stderr).toMatch(message);
  expect(status).toBe(1);
});
