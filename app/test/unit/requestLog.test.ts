import { ServerResponse } from "node:http";
import type { Logger } from "pino";
import { describe, expect, it } from "vitest";
import { createRequestLog } from "../../src/requestLog.ts";

function setUp(perSecond: number) {
  const lines: Record<string, unknown>[] = [];
  const log = createRequestLog(
    { info: (line: Record<string, unknown>) => lines.push(line) } as unknown as Logger,
    perSecond,
  );
  const finish = (status: number, ageMs = 0) => {
    const req = { method: "GET", url: "/a?secret=1", ip: "192.0.2.1" };
    const res = new ServerResponse(req as never);
    res.statusCode = status;
    res.context = {
      id: "id",
      servedBy: "web1",
      release: "test",
      startedAt: performance.now(),
      mount: "",
      logged: true,
    };
    log(res, ageMs);
  };
  return { lines, finish };
}

describe("the request log", () => {
  it("has the fields that an operator needs, without the query", () => {
    const { lines, finish } = setUp(10);
    finish(200);
    expect(lines[0]).toMatchObject({ id: "id", method: "GET", path: "/a", status: 200, client: "192.0.2.1" });
  });

  it("skips requests above the limit, and adds their number to the next line", () => {
    const { lines, finish } = setUp(0);
    for (let i = 0; i < 5; i++) finish(200);
    expect(lines).toHaveLength(0);
    finish(503);
    expect(lines).toMatchObject([{ status: 503, skipped: 5 }]);
    finish(200, 1500);
    expect(lines[1]).not.toHaveProperty("skipped");
  });

  it("always has errors and slow requests", () => {
    const { lines, finish } = setUp(0);
    finish(500);
    finish(200, 1001);
    expect(lines).toHaveLength(2);
  });
});
