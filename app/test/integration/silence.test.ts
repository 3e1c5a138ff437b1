import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { RedisServer } from "../../../ops/loopback/redis.ts";
import { until } from "../../../ops/loopback/until.ts";
import { RECONNECT_MS } from "../../src/visits/store.ts";
import { Service } from "./support/service.ts";

/** Runs work with a Redis and a service of its own. */
async function withServers(work: (redis: RedisServer, service: Service) => Promise<void>): Promise<void> {
  const redis = await RedisServer.prepare();
  let service: Service | undefined;
  try {
    await redis.start();
    service = await Service.startConnected(redis);
    await work(redis, service);
  } finally {
    await service?.kill();
    await redis.destroy();
  }
}

// Both mostly wait, so they wait together.
describe.concurrent("silence", () => {
  it("a service that was frozen drops the requests that waited, uncounted, then counts again", () =>
    withServers(async (redis, service) => {
      expect((await service.visit()).status).toBe(200);
      service.signal("SIGSTOP");
      const waiting = Array.from({ length: 8 }, () => service.visit().then(({ status }) => status, String));
      await new Promise((resolve) => setTimeout(resolve, 8500)); // the test is that this much time passes
      service.signal("SIGCONT");
      expect(new Set(await Promise.all(waiting))).toEqual(new Set(["TypeError: fetch failed"]));
      expect(await redis.total()).toBe(1);
      const counted = () =>
        service.visit().then(
          ({ status }) => status === 200,
          () => false,
        );
      await until("a counted visit", counted, 3000);
      expect(await redis.total()).toBe(2);
    }));

  it("no answer: a visit waits for the next attempt to connect, and is counted if that succeeds", () =>
    withServers(async (redis, service) => {
      await redis.signal("SIGTERM");
      await redis.start({ "tcp-backlog": 1 });
      await until("a counted visit", async () => (await service.visit()).status === 200, 2000);
      for (let i = 0; i < 3; i++) {
        await redis.signal("SIGSTOP");
        const queue = Array.from({ length: 4 }, () => connect(redis.port, "127.0.0.1").on("error", () => {})); // fills the backlog: no SYN is answered
        expect((await service.visit()).status).toBe(503); // opens the breaker; the connection is given up later
        await until("silence", async () => (await service.visit()).ms >= RECONNECT_MS, 5000);
        const { status, ms } = await service.visit();
        expect([status, ms >= RECONNECT_MS, ms < 1000]).toEqual([503, true, true]);
        for (const socket of queue) socket.destroy();
        await redis.signal("SIGCONT");
        expect((await service.visit()).status).toBe(200);
      }
    }));
});
