import http from "node:http";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { urlOf } from "../../ops/cluster/sites.ts";
import { app } from "../lib/app.ts";
import { backends, explainByJournals, must, on } from "../lib/hosts.ts";
import { answerInTurn, balancerAddress, counter, domain, port, raw, request, visit } from "../lib/http.ts";

beforeEach(explainByJournals);
beforeAll(answerInTurn);

const tally = (names: string[]) =>
  Object.fromEntries(backends.map((name) => [name, names.filter((each) => each === name).length]));
const fair = Object.fromEntries(backends.map((name) => [name, 100 / backends.length]));

describe("the visit counter", () => {
  test("answers with the five fields, its backend's name and a request id that is in that backend's log", async () => {
    const { status, headers, visit: body } = await visit();
    expect(status).toBe(200);
    expect(body).toEqual({
      container_id: expect.toBeOneOf(backends),
      message: "Halo dari Backend API!",
      database_status: "Terhubung",
      info: "Refresh halaman ini untuk melihat container_id berubah (Load Balancing)",
      total_visits: expect.any(Number),
    });
    expect(headers["x-served-by"]).toBe(body.container_id);
    const id = String(headers["x-request-id"]);
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    // The log is written in batches, and leaves requests out in a second that has many.
    const logged = async () => {
      const { headers, visit: body } = await visit();
      return on(
        body.container_id,
        `sleep .3; journalctl -u ${app.unit} --since -1min | grep ${headers["x-request-id"]} || true`,
      );
    };
    await expect.poll(logged, { timeout: 10_000 }).toContain('"status":200');
  });

  test("a client's own request id and forwarded address are not believed", async () => {
    const { headers } = await visit({ headers: { "X-Request-Id": "0".repeat(32), "X-Forwarded-For": "203.0.113.9" } });
    expect(headers["x-request-id"]).not.toBe("0".repeat(32));
  });

  test("100 sequential requests alternate strictly and grow the count by one each", async () => {
    const first = await visit();
    const names: string[] = [];
    const counts: (number | null)[] = [];
    for (let i = 0; i < 100; i++) {
      const { visit: body } = await visit();
      names.push(body.container_id);
      counts.push(body.total_visits);
    }
    expect(tally(names)).toEqual(fair);
    expect(names.filter((name, i) => name === names[i - 1])).toEqual([]);
    expect(counts).toEqual(counts.map((_, i) => (first.visit.total_visits ?? 0) + 1 + i));
  });

  test("100 requests of 8 parallel clients are spread evenly, each counted once", async () => {
    let left = 100;
    const answers: Awaited<ReturnType<typeof visit>>[] = [];
    const client = async () => {
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      while (left-- > 0) answers.push(await visit({ agent }));
      agent.destroy();
    };
    await Promise.all(Array.from({ length: 8 }, client));
    expect(tally(answers.map((answer) => answer.visit.container_id))).toEqual(fair);
    expect(new Set(answers.map((answer) => answer.visit.total_visits)).size).toBe(100);
  });

  test("a browser gets the page, whose parts nginx answers itself", async () => {
    const page = await request("/", { headers: { Accept: "text/html" } });
    expect(page.headers["content-type"]).toMatch(/^text\/html/);
    expect(page.headers["content-security-policy"]).toContain("default-src 'none'");
    const parts = [...page.body.matchAll(/(?:href|src)="(\/[^"]+)"/g)].map((match) => String(match[1]));
    expect(parts.length).toBeGreaterThan(1);
    for (const path of [...parts, "/favicon.ico"]) {
      const part = await request(path);
      expect([path, part.status]).toEqual([path, expect.toBeOneOf([200, 204])]);
      expect([path, part.headers["x-served-by"]]).toEqual([path, undefined]);
    }
  });

  test("every port of the site answers as the first does", async () => {
    for (const port of counter.ports) expect([port, (await visit({ port })).status]).toEqual([port, 200]);
  });

  test("the documented command prints the five fields", async () => {
    const output = await must([
      "npm",
      "run",
      "-s",
      "exec",
      "--",
      "curl",
      "-s",
      "-H",
      `Host: ${domain}`,
      `${urlOf(counter, balancerAddress)}/`,
    ]);
    expect(Object.keys(JSON.parse(output))).toEqual([
      "container_id",
      "message",
      "database_status",
      "info",
      "total_visits",
    ]);
  });
});

describe("the paths that the balancer does not pass on", () => {
  test.each(["/metrics", "/healthz", "/readyz", "/version", "/visits"])(
    "%s is not reachable through it",
    async (path) => {
      expect((await request(path)).status).toBe(404);
    },
  );

  test("an unknown Host never sees the site", async () => {
    const answer = await request("/", { headers: { Host: "other.example" } });
    expect(answer.status).toBe(421);
    expect(answer.body).not.toContain("total_visits");
  });

  test("no answer names a version", async () => {
    for (const path of ["/", "/nowhere"]) expect((await request(path)).headers.server).toBe("nginx");
  });
});

describe("bad input is a clear 4xx and the next request is answered", () => {
  const status = (text: string) => Number(text.match(/^HTTP\/1\.[01] (\d{3})/)?.[1]);
  const head = `Host: ${domain}\r\nConnection: close\r\n`;

  test.each([
    ["a request line of 64 KiB", `GET /${"a".repeat(65_536)} HTTP/1.1\r\n${head}\r\n`, [414]],
    ["an unknown method", `FROB / HTTP/1.1\r\n${head}\r\n`, [400, 405]],
    ["a broken Host", `GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n`, [400, 421]],
    ["no Host", `GET / HTTP/1.1\r\nConnection: close\r\n\r\n`, [400]],
    ["a header with a NUL", `GET / HTTP/1.1\r\n${head}X-A: b\0c\r\n\r\n`, [400]],
    ["headers of 64 KiB", `GET / HTTP/1.1\r\n${head}X-A: ${"a".repeat(65_536)}\r\n\r\n`, [400, 431]],
    ["no HTTP at all", "\x16\x03\x01\x02\0\x01\0\x01\xfc\r\n\r\n", [400]],
  ])("%s", async (_, bytes, expected) => {
    expect(status(await raw(bytes))).toBeOneOf(expected);
    expect((await visit()).status).toBe(200);
  });

  test("a body of 100 MiB is refused before it is sent", async () => {
    // nginx waits five seconds for the rest of the body.
    const answer = await raw(`POST / HTTP/1.1\r\n${head}Content-Length: 104857600\r\n\r\n`, port, /\r\n\r\n/);
    expect(status(answer)).toBe(413);
    expect((await visit()).status).toBe(200);
  });

  test.each([
    ["POST", "/", 405],
    ["GET", "/nowhere", 404],
    ["GET", "/%ff", 400],
  ])("%s %s is %i as a problem document", async (method, path, expected) => {
    const answer = await request(path, { method });
    expect(answer.status).toBe(expected);
    expect(answer.headers["content-type"]).toMatch(/^application\/problem\+json/);
    expect(JSON.parse(answer.body)).toMatchObject({ status: expected, title: expect.any(String) });
    expect(answer.body).not.toMatch(/node_modules|\.ts:|\bat \S+:\d/);
    if (expected === 405) expect(answer.headers.allow).toContain("GET");
  });
});
