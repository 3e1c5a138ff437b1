import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { beforeEach, expect, test } from "vitest";
import { siteFor } from "../../ops/cluster/sites.ts";
import { root } from "../../ops/lib/paths.ts";
import { backends, explainByJournals, on, until } from "../lib/hosts.ts";
import { balancerAddress, domain, port, portFor, raw, request } from "../lib/http.ts";

beforeEach(explainByJournals);
const workshop = siteFor("/api/").domain;

/** The bytes that are sent, and the statuses that are right; a request without any is given up by its client. */
type Attempt = [what: string, bytes: string, right: number[]];
const around = (...bounds: number[]) => bounds.flatMap((bound) => [bound - 1, bound, bound + 1]);
const get = (path: string, headers = "", host = workshop) =>
  `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${headers}\r\n`;
const post = (path: string, body: string, headers = "Content-Type: application/json\r\n", host = workshop) =>
  `POST ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;
/** The port of the site that a request names. */
const portOfHost = (bytes: string) => portFor(bytes.match(/\r\nHost: (\S+)/)?.[1]);
const byte = (code: number) => String.fromCharCode(code);
// Without the line feed, which ends the line.
const bytes = [
  ...Array.from({ length: 32 }, (_, i) => i + 1).filter((code) => code !== 10),
  34,
  35,
  60,
  92,
  94,
  96,
  123,
  124,
  127,
  128,
  160,
  255,
];

const echoed = around(1000, 1815, 2048, 4096, 6900).flatMap((length): Attempt[] => [
  [`a search with ${length} spaces`, get(`/api/customers?q=a${"+".repeat(length)}`), [200]],
  [`a time of ${length} digits`, get(`/api/services?from=2026-01-01T00:00:00.${"0".repeat(length)}Z`), [200]],
  [`a parameter of ${length} letters`, get(`/api/customers?${"n".repeat(length)}=1`), [400]],
]);
const heads = around(1024, 4096, 7168, 8192, 14_336, 15_360, 16_384, 32_768).flatMap((length): Attempt[] => [
  [`a path of ${length} bytes`, get(`/${"a".repeat(length)}`, "", domain), [404, 414]],
  [`a header of ${length} bytes`, get("/api/", `X-A: ${"a".repeat(length)}\r\n`), [200, 431]],
  [
    `cookies of ${length} bytes`,
    get("/api/", `Cookie: a=${"a".repeat(length / 2)}\r\nCookie: b=${"b".repeat(length / 2)}\r\n`),
    [200, 431],
  ],
  [
    `headers of ${length} bytes and a body`,
    post("/api/customers", "x".repeat(5000), `X-A: a\r\n${"a:b\n".repeat(length / 4)}`),
    [415, 431],
  ],
]);
const bodies = around(16_384, 65_536, 200_000, 1_048_576).flatMap((length): Attempt[] => [
  [`a body of ${length} bytes`, post("/api/customers", "1".repeat(length)), [400, 413, 422]],
  [`a text of ${length} bytes`, post("/api/customers", "x".repeat(length), "Content-Type: text/plain\r\n"), [413, 415]],
  [`a body of ${length} bytes for the counter`, post("/", "x".repeat(length), "", domain), [405, 413]],
  [`a body of ${length} bytes for nobody`, post("/nowhere", "x".repeat(length), "", domain), [404, 413]],
]);
const odd = bytes.flatMap((code): Attempt[] => [
  [`byte ${code} in a path`, get(`/-/a${byte(code)}b`, "", domain), [200, 400, 404, 505]],
  [`byte ${code} in a query`, get(`/api/customers?q=${byte(code)}`), [200, 400, 505]],
  [`byte ${code} in a header`, get("/-/a", `X-A: a${byte(code)}b\r\n`, domain), [400, 404]],
  [`byte ${code} in a header's name`, get("/-/a", `X${byte(code)}A: a\r\n`, domain), [400, 404]],
  [
    `byte ${code} in a header, with a body`,
    post("/api/customers", "x".repeat(5000), `X-A: a${byte(code)}b\r\n`),
    [400, 415],
  ],
]);
const unknown = JSON.stringify(Object.fromEntries(Array.from({ length: 5500 }, (_, i) => [`k${i}`, 1])));
const others: Attempt[] = [
  ["thousands of unknown fields", post("/api/customers", unknown), [422]],
  ["a search of a hundred rare letters", get(`/api/customers?q=${"%F0%9F%98%80".repeat(100)}`), [200]],
  ["Expect", post("/api/customers", "x".repeat(70_000), "Expect: 100-continue\r\n"), [100, 413, 415, 417]],
  ["Upgrade", get("/-/a", "Upgrade: websocket\r\nSec-WebSocket-Key: a\r\n", domain), [400, 404]],
  ["two lengths", post("/api/customers", "x", "Content-Length: 2\r\n"), [400]],
  ["a length and chunks", post("/api/customers", "x", "Transfer-Encoding: chunked\r\n"), [400]],
  ["chunks of nothing known", get("/-/a", "Transfer-Encoding: gzip\r\n", domain), [400, 501]],
  [
    "too large a body in chunks",
    `${get("/api/customers", "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n").replace("GET", "POST")}${`4000\r\n${"x".repeat(0x4000)}\r\n`.repeat(12)}0\r\n\r\n`,
    [413],
  ],
  ["an upload that its client gives up", post("/api/customers", "x".repeat(200_000)).slice(0, 100_000), []],
  ["an upload that stops early", post("/", "x".repeat(2000), "", domain).slice(0, 500), []],
];
const attempts = [...echoed, ...heads, ...bodies, ...odd, ...others];

/** Sends half of the bytes that it has announced and hangs up. */
const giveUp = (text: string) =>
  new Promise<void>((resolve) => {
    const socket = connect(portOfHost(text), balancerAddress, () => socket.write(text, () => socket.destroy()));
    socket.on("error", () => {});
    socket.on("close", () => resolve());
  });

/** A small body, a byte at a time; resolves with its answer's status. */
async function drip(): Promise<number> {
  const text = post("/api/customers", "x".repeat(20));
  let answer = "";
  const socket = connect(portOfHost(text), balancerAddress, () => socket.write(text.slice(0, -20)));
  socket.on("data", (chunk) => {
    answer += chunk;
  });
  const closed = new Promise((resolve) => socket.on("close", resolve));
  for (let sent = 0; sent < 20; sent++) {
    await pause(150);
    socket.write("x");
  }
  await closed;
  return Number(answer.slice(9, 12));
}

test("awkward requests of one client cost another nothing: no failure, no backend ejected, no answer of 5xx", async () => {
  const [first = ""] = backends;
  const logs = ["access", "error"].map((name) => `/var/log/nginx/${name}.log`);
  const sizes = (await on("balancer", `stat -c %s ${logs.join(" ")}`)).split("\n").map(Number);
  const program = readFileSync(join(root, "test/lib/flood.ts")).toString("base64");
  const visitor = async (): Promise<{ status: number; count: number }[]> =>
    JSON.parse(
      await on(
        first,
        `echo ${program} | base64 -d | /opt/halo/runtime/current/bin/node --input-type=module-typescript - requests ${balancerAddress} ${port} ${domain} 300 20`,
      ),
    );
  const visiting = visitor();

  const wrong: string[] = [];
  const left = [...attempts];
  const client = async () => {
    for (let attempt = left.shift(); attempt; attempt = left.shift()) {
      const [what, text, right] = attempt;
      if (right.length === 0) await giveUp(text);
      else {
        const answer = await raw(Buffer.from(text, "latin1"), portOfHost(text));
        const status = Number(answer.slice(9, 12));
        if (!right.includes(status)) wrong.push(`${what}: ${status || "no answer"} instead of ${right.join(" or ")}`);
      }
    }
  };
  const [slow] = await Promise.all([drip(), ...Array.from({ length: 4 }, client)]);
  const visits = await visiting;

  const mark = `/-/${randomUUID()}`;
  await request(mark);
  const since = (i: number) => on("balancer", `tail -c +${(sizes[i] ?? 0) + 1} ${logs[i]}`);
  await until("the log is complete", 10_000, async () => (await since(0)).includes(mark));
  const lines = (await since(0)).split("\n").flatMap((line) => (line.startsWith("{") ? [JSON.parse(line)] : []));
  // 501 is nginx's own answer to a transfer coding that it does not know.
  const failed = lines.filter(
    (line) =>
      (line.status >= 500 && !(line.status === 501 && line.upstream === "")) || /,|502|504/.test(line.upstream_status),
  );
  const slowest = Math.max(...lines.flatMap(({ upstream_seconds }) => Number(upstream_seconds) || 0));
  const errors = (await since(1)).split("\n").filter((line) => /upstream/.test(line));
  const served = visits.reduce((total, { count }) => total + count, 0);
  console.log(`${attempts.length} awkward requests beside ${served} visits; a backend's slowest answer ${slowest} s`);
  expect({ wrong, slow, failed, errors }).toEqual({ wrong: [], slow: 400, failed: [], errors: [] });
  expect(visits.map(({ status, count }) => [status, count])).toContainEqual([200, expect.any(Number)]);
  expect(visits.filter(({ status }) => status !== 200)).toEqual([]);
  expect(served).toBe(300);
  expect(slowest).toBeLessThan(2); // nginx_read_timeout
});
