import { connect } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { RedisServer } from "../../../ops/loopback/redis.ts";
import { until } from "../../../ops/loopback/until.ts";
import { startLoad } from "./support/load.ts";
import { Service } from "./support/service.ts";

let redis: RedisServer;
let service: Service;

beforeAll(async () => {
  redis = await RedisServer.prepare();
  await redis.start();
});
afterEach(() => service?.kill());
afterAll(() => redis?.destroy());

describe("stopping", () => {
  it.each<[string, (s: Service) => void]>([
    ["SIGINT", (s) => s.signal("SIGINT")],
    ["SIGTERM", (s) => s.signal("SIGTERM")],
    ["PM2's message", (s) => s.send("shutdown")],
  ])("by %s: a lame duck answers each request with Connection: close, then exits 0", async (_name, ask) => {
    service = await Service.startConnected(redis, { LAME_DUCK_MS: "400" });
    const stop = startLoad([service.port]);
    await until("load", () => service.log().filter((line) => line.path === "/").length > 10);
    ask(service);
    await until("the lame duck", () => service.log().some((line) => line.msg === "stopping"));
    const ready = await service.get("/readyz");
    expect([ready.status, await ready.json()]).toEqual([503, { status: "unready", reason: "shutting down" }]);
    expect(ready.headers.get("connection")).toBe("close");
    const { answers, failed } = await stop();
    expect(failed).toEqual([]);
    expect(answers.every((a) => a.status === 200)).toBe(true);
    expect(answers.at(-1)?.close).toBe(true);
    expect(await service.exit).toBe(0);
    expect(service.log().at(-1)).toMatchObject({ msg: "stopped", finished: true });
  });

  it("finishes the request that is in flight", async () => {
    service = await Service.startConnected(redis, { LAME_DUCK_MS: "0" });
    await redis.signal("SIGSTOP");
    const answer = service.get("/");
    // The request is in the service once a later one on another connection has been answered.
    await service.get("/healthz");
    service.signal("SIGTERM");
    await until("the stop", () => service.log().some((line) => line.msg === "stopping"));
    await redis.signal("SIGCONT");
    expect((await answer).status).toBe(200);
    expect(await service.exit).toBe(0);
  });

  it("cuts off unfinished requests at the deadline", async () => {
    service = await Service.startConnected(redis, { LAME_DUCK_MS: "0", SHUTDOWN_DEADLINE_MS: "300" });
    const socket = connect(service.port, "127.0.0.1", () => socket.write("GET / HTTP/1.1\r\nHost: h\r\n"));
    socket.on("error", () => {});
    await until("the connection", () => socket.bytesWritten > 0);
    await service.get("/healthz");
    const started = performance.now();
    service.signal("SIGTERM");
    expect(await service.exit).toBe(0);
    expect(performance.now() - started).toBeLessThan(3000);
    expect(service.log().at(-1)).toMatchObject({ finished: false });
    socket.destroy();
  });
});

describe("a start that cannot succeed", () => {
  it("names every wrong variable and no secret, and exits 78", async () => {
    service = await Service.launch({ HALO_PORT: "none", REDIS_USERNAME: "halo", LOG_LEVEL: "loud" });
    expect(await service.exit).toBe(78);
    expect(service.output).toMatch(/HALO_PORT: expected .*, got "none"/);
    expect(service.output).toMatch(/LOG_LEVEL: expected one of .*, got "loud"/);
    expect(service.ready).toBe(false);
  });

  it("names the address in use, exits 1 and never reports ready", async () => {
    const first = await Service.start(redis);
    service = await Service.launch({ HALO_PORT: String(first.port) });
    expect(await service.exit).toBe(1);
    expect(service.output).toContain(`cannot listen on 127.0.0.1:${first.port}`);
    expect(service.ready).toBe(false);
    await first.kill();
  });
});
