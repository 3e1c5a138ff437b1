/**
 * A client without manners, for a host whose address is limited (the controller's is not); prints the results as JSON.
 *   flood.ts requests ADDRESS PORT HOST COUNT RATE [METHOD]
 *                                               / one after another on one connection, RATE a second at most;
 *                                               prints [{status, type, retryAfter, by, count}]
 *   flood.ts slow ADDRESS PORT HOST BODIES HEADS
 *                                               as many POSTs that stop in their body, then connections that send a byte
 *                                               of their header each second; prints {"429": n, "408": n, cut: n,
 *                                               refused: n, left: n, seconds: the longest}
 */
import http from "node:http";
import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

const [mode = "", address = "", port = "", host = "", first = "", second = "", method = "GET"] = process.argv.slice(2);

async function requests(count: number, rate: number): Promise<unknown> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const tally: Record<string, number> = {};
  const since = performance.now();
  for (let i = 0; i < count; i++) {
    await pause(Math.max(0, since + (i * 1000) / rate - performance.now()));
    const answer = await new Promise<http.IncomingMessage>((resolve, reject) => {
      const headers = { Host: host, Accept: i % 2 ? "text/html" : "application/json" };
      http
        .request({ host: address, port, agent, headers, method }, (each) =>
          each.resume().on("end", () => resolve(each)),
        )
        .on("error", reject)
        .end();
    });
    const { "content-type": type, "retry-after": retryAfter, "x-served-by": by } = answer.headers;
    const kind = JSON.stringify({ status: answer.statusCode, type, retryAfter, by });
    tally[kind] = (tally[kind] ?? 0) + 1;
  }
  agent.destroy();
  return Object.entries(tally).map(([kind, times]) => ({ ...JSON.parse(kind), count: times }));
}

async function slow(bodies: number, heads: number): Promise<unknown> {
  const tally: Record<string, number> = { seconds: 0 };
  const client = (text: string, drip: string) => {
    const since = performance.now();
    const socket = connect(Number(port), address);
    const timer = drip ? setInterval(() => socket.write(drip), 1000) : undefined;
    let end = "refused";
    const connected = new Promise<void>((resolve) => {
      socket.on("connect", () => {
        end = "cut";
        socket.write(text);
        resolve();
      });
      socket.on("close", () => resolve());
    });
    const closed = new Promise<void>((resolve) => {
      socket.on("data", (chunk) => {
        end = chunk.toString().match(/^HTTP\/1\.1 (\d{3})/)?.[1] ?? end;
      });
      socket.on("error", () => {}); // a reset; the close comes next
      socket.on("close", () => {
        clearInterval(timer);
        tally[end] = (tally[end] ?? 0) + 1;
        tally.seconds = Math.max(tally.seconds ?? 0, (performance.now() - since) / 1000);
        resolve();
      });
      setTimeout(() => {
        end = "left";
        socket.destroy();
      }, 30_000).unref();
    });
    return { connected, closed };
  };
  const clients = Array.from({ length: bodies }, () =>
    client(`POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 1000\r\n\r\nhalf`, ""),
  );
  await Promise.all(clients.map(({ connected }) => connected));
  clients.push(...Array.from({ length: heads }, () => client(`GET / HTTP/1.1\r\nHost: ${host}\r\nX-Slow: `, "x")));
  await Promise.all(clients.map(({ closed }) => closed));
  return tally;
}

console.log(JSON.stringify(await (mode === "slow" ? slow : requests)(Number(first), Number(second))));
