import { once } from "node:events";
import { Agent, get, type IncomingHttpHeaders } from "node:http";
import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { readMetrics } from "../../app/test/integration/support/metrics.ts";
import { root } from "../../ops/lib/paths.ts";
import { freePair, freePort } from "../../ops/loopback/port.ts";
import { until } from "../../ops/loopback/until.ts";
import { App, spawnNode } from "./support/app.ts";

let app: App;
afterEach(() => app?.destroy());

/** One request over an agent's connection; gives the headers of its response, and the connection. */
async function ask(port: number, agent: Agent): Promise<{ headers: IncomingHttpHeaders; socket: Socket }> {
  const [response] = await once(get({ host: "127.0.0.1", port, agent }), "response");
  const { headers, socket } = response;
  await once(response.resume(), "end");
  return { headers, socket };
}
const keepAlive = () => new Agent({ keepAlive: true, maxSockets: 1 });

/** A connection that has sent an upgrade, and has its answer. */
async function upgraded(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  const lines = ["GET /chat HTTP/1.1", "Host: h", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: a"];
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  const [answer] = await once(socket, "data");
  expect(`${answer}`).toMatch(/^HTTP\/1\.1 101 /);
  return socket;
}

/** A POST that is in the app, and ends when `finish` is called. */
async function postInFlight(each: App): Promise<{ finish: () => void; response: Promise<Response> }> {
  let finish = () => {};
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode("sent before the stop, "));
      finish = () => {
        controller.enqueue(new TextEncoder().encode("and after it"));
        controller.close();
      };
    },
  });
  const response = each.get("/", { method: "POST", body, duplex: "half" } as RequestInit);
  // It is in the app once a later one on another connection has been answered.
  await ask(each.port, new Agent());
  return { finish, response };
}

/** Whether the port refuses new connections. */
const refused = (port: number) => async () => {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ECONNREFUSED";
  } finally {
    socket.destroy();
  }
};

describe("an app that knows nothing of Halo", () => {
  it.each<[string, (app: App) => void]>([
    ["SIGINT", (each) => each.child.kill("SIGINT")],
    ["SIGTERM", (each) => each.child.kill("SIGTERM")],
    ["PM2's message", (each) => each.child.send("shutdown")],
  ])("by %s: answers as a lame duck, finishes the requests that it has, then exits 0", async (_name, stop) => {
    app = await App.start("plain", { LAME_DUCK_MS: "1000" });
    expect(app.messages).toEqual(["ready"]);
    const { finish, response } = await postInFlight(app);
    const agent = keepAlive();
    expect((await ask(app.port, agent)).headers.connection).toBe("keep-alive");
    stop(app);
    await until("the lame duck", async () => (await ask(app.port, agent)).headers.connection === "close");
    await until("the end of new connections", refused(app.port));
    finish();
    const answer = await response;
    expect(await answer.text()).toBe("sent before the stop, and after it");
    expect(answer.headers.get("connection")).toBe("close");
    expect(await app.exit).toBe(0);
  });

  it("answers the first request of a connection that it accepted last", async () => {
    /** The answer; none where a busy machine has held this test up for longer than the app waits, which is 250 ms. */
    const askAsLast = async (): Promise<string | undefined> => {
      app = await App.start("plain");
      const socket = connect(app.port, "127.0.0.1");
      await once(socket, "connect");
      // Another one that is answered was accepted later.
      await app.get("/");
      app.child.kill("SIGTERM");
      const isRefused = refused(app.port);
      let accepting = performance.now();
      while (!(await isRefused())) accepting = performance.now();
      const answer = new Promise((resolve) => socket.once("data", resolve).once("close", resolve).on("error", resolve));
      socket.write("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
      return performance.now() - accepting < 200 ? `${await answer}` : app.destroy().then(() => undefined);
    };
    let answer: string | undefined;
    while (answer === undefined) answer = await askAsLast();
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n(.*\r\n)*Connection: close\r\n/);
    expect(await app.exit).toBe(0);
  });

  it.each(["plain", "clustered"])("%s: answers all connections that wait when the lame duck ends", async (name) => {
    const CONNECTIONS = 20;
    const LAME_DUCK_MS = 500;
    /** The answers; none where a busy machine has held this test up for too long to stop and to continue the app in time. */
    const askWhileTheyWait = async (): Promise<string[] | undefined> => {
      app = await App.start(name, { LAME_DUCK_MS: `${LAME_DUCK_MS}` });
      const from = performance.now();
      const isPast = (ms: number) => performance.now() - from > ms;
      app.child.kill("SIGTERM");
      const isLame = async () => (await app.get("/")).headers.get("connection") === "close";
      await until("the lame duck", () => isPast(LAME_DUCK_MS) || isLame());
      app.child.kill("SIGSTOP");
      const isLate = isPast(LAME_DUCK_MS - 100);
      const answers = Array.from({ length: CONNECTIONS }, async () => {
        const socket = connect(app.port, "127.0.0.1");
        const answer = new Promise((resolve) =>
          socket.once("data", resolve).once("close", resolve).on("error", resolve),
        );
        socket.write("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        return `${await answer}`;
      });
      await until("the end of the lame duck", () => isPast(LAME_DUCK_MS));
      app.child.kill("SIGCONT");
      // Workers of an app that clusters itself take connections for 250 ms more.
      const isTooLate = isLate || isPast(LAME_DUCK_MS + 100);
      const all = await Promise.all(answers);
      return isTooLate ? app.destroy().then(() => undefined) : all;
    };
    let answers: string[] | undefined;
    while (answers === undefined) answers = await askWhileTheyWait();
    expect(answers.map((answer) => answer.split("\r\n")[0])).toEqual(Array(CONNECTIONS).fill("HTTP/1.1 200 OK"));
    expect(await app.exit).toBe(0);
  });

  it("cuts off a request without an end at the deadline", async () => {
    app = await App.start("plain", { LAME_DUCK_MS: "0", SHUTDOWN_DEADLINE_MS: "300" });
    const { response } = await postInFlight(app);
    const started = performance.now();
    app.child.kill("SIGTERM");
    await expect(response).rejects.toThrow();
    expect(await app.exit).toBe(0);
    expect(performance.now() - started).toBeLessThan(6000);
  });

  it("keeps idle connections for longer than Node does", async () => {
    app = await App.start("plain");
    const other = await App.start("plain", { HALO_PRELOAD: "0" });
    const [kept, closed] = [keepAlive(), keepAlive()];
    try {
      const first = await ask(app.port, kept);
      const control = await ask(other.port, closed);
      await once(control.socket, "close");
      const second = await ask(app.port, kept);
      expect(second.socket).toBe(first.socket);
      expect(second.headers["keep-alive"]).toBe("timeout=75");
    } finally {
      await other.destroy();
    }
  });

  it("names its release and its host in each response, errors and refusals included", async () => {
    app = await App.start("esm-express");
    for (const [path, init, status] of [
      ["/", {}, 200],
      ["/nowhere", {}, 404],
      ["/", { method: "POST", headers: { "Content-Type": "application/json" }, body: "{" }, 400],
    ] as const) {
      const response = await app.get(path, init);
      const { headers } = response;
      expect([response.status, headers.get("x-release"), headers.get("x-served-by")]).toEqual([
        status,
        "A",
        "backend7",
      ]);
    }
  });

  it("is not ready while it listens on another port than its own", async () => {
    const port = await freePort();
    app = await App.start("plain", { PORT: String(port), HALO_PORT: String(port + 1) });
    expect(app.messages).toEqual([]);
  });
});

describe("an app with handlers of its own", () => {
  it("runs them in their order after the last answer, and its own close succeeds", async () => {
    app = await App.start("own-handlers");
    const { finish, response } = await postInFlight(app);
    app.child.kill("SIGTERM");
    await until("the end of new connections", refused(app.port));
    expect(app.output).toBe("listeners: 2,2,0,0\n");
    finish();
    expect(await (await response).text()).toBe("hello\n");
    expect(await app.exit).toBe(3);
    expect(app.output.split("\n").slice(1)).toEqual([
      "first: 1 left",
      "second: SIGTERM, closed without an error, 0 answers later",
      "",
    ]);
  });

  it.each<[string, (app: App) => void]>([
    ["SIGINT", (each) => each.child.kill("SIGINT")],
    ["PM2's message", (each) => each.child.send("shutdown")],
  ])("runs the ones for SIGTERM by %s too, where it has no others", async (_name, stop) => {
    app = await App.start("own-handlers", { LAME_DUCK_MS: "0" });
    stop(app);
    expect(await app.exit).toBe(3);
  });

  it("may ignore the stop: then it gets the next signal as well", async () => {
    app = await App.start("stubborn", { STUBBORN: "deaf", LAME_DUCK_MS: "0" });
    for (let times = 1; times <= 2; times++) {
      app.child.kill("SIGINT");
      await until("the handler", () => app.output.split("SIGINT is ignored").length === times + 1);
    }
    expect(app.child.exitCode).toBe(null);
  });
});

describe("an app with WebSockets", () => {
  it("keeps them until the deadline, and then closes them", async () => {
    app = await App.start("websocket", { LAME_DUCK_MS: "0", SHUTDOWN_DEADLINE_MS: "1500" });
    const socket = await upgraded(app.port);
    app.child.kill("SIGTERM");
    await until("the end of new connections", refused(app.port));
    socket.write("still open");
    expect(`${(await once(socket, "data"))[0]}`).toBe("still open");
    await once(socket.resume(), "close");
    expect(await app.exit).toBe(0);
  });
});

describe("metrics", () => {
  it("has the names of Halo's own service, on a port of this process' own", async () => {
    const port = await freePair();
    app = await App.start("esm-express", {
      HALO_METRICS_PORT: String(port),
      NODE_APP_INSTANCE: "1",
      HALO_RUNTIME: root,
    });
    await app.get("/nowhere/at/all");
    await app.get("/", { method: "PROPFIND" });
    const metrics = await readMetrics(`http://127.0.0.1:${port + 1}`);
    const count = (method: string, status: number) =>
      metrics.get(`http_requests_total{method="${method}",route="other",status="${status}"}`);
    expect(count("GET", 200)).toBeGreaterThan(0);
    expect([count("GET", 404), count("GET", 500), count("other", 404)]).toEqual([1, 0, 1]);
    expect(metrics.get('http_request_duration_seconds_count{method="other",route="other"}')).toBe(1);
    expect(metrics.get('service_release_info{release="A"}')).toBe(1);
    for (const name of ["http_requests_in_flight", "process_resident_memory_bytes", "nodejs_eventloop_lag_p99_seconds"])
      expect(metrics.has(name), name).toBe(true);
  });

  it("takes the port over from the process before it, which gives it up when its stop begins", async () => {
    const metrics = { HALO_METRICS_PORT: String(await freePort()), HALO_RUNTIME: root };
    const release = async () => {
      const all = await readMetrics(`http://127.0.0.1:${metrics.HALO_METRICS_PORT}`);
      return [...all.keys()].find((name) => name.startsWith("service_release_info"));
    };
    const old = await App.start("plain", metrics);
    try {
      await until("its metrics", release);
      app = await App.start("plain", metrics, { release: "B" });
      const { finish, response } = await postInFlight(old);
      expect(await release()).toContain('"A"');
      old.child.kill("SIGTERM");
      await until("the new one's metrics", async () => (await release())?.includes('"B"'));
      expect(old.child.exitCode).toBe(null);
      finish();
      expect((await response).status).toBe(200);
    } finally {
      await old.destroy();
    }
  });

  it("are reported once as missing without prom-client, and the app runs", async () => {
    app = await App.start("plain", { HALO_METRICS_PORT: String(await freePort()), HALO_RUNTIME: "/nonexistent" });
    expect(app.output.split("halo preload: metrics: Cannot find module")).toHaveLength(2);
    expect(app.output).toContain("The app runs without it. Fix: ");
  });
});

describe("the preload", () => {
  it("is switched off by HALO_PRELOAD=0", async () => {
    app = await App.start("plain", { HALO_PRELOAD: "0" });
    expect((await app.get("/")).headers.get("x-release")).toBe(null);
    app.child.kill("SIGTERM");
    expect(await app.exit).toBe("SIGTERM");
  });

  it("reports a missing RELEASE once, and the app runs", async () => {
    app = await App.start("plain", {}, { named: false });
    expect((await app.get("/")).headers.get("x-served-by")).toBe("backend7");
    expect(app.output.split("halo preload: X-Release")).toHaveLength(2);
  });

  it("leaves helpers as they are: their first messages, their end by a signal, and their end without work", async () => {
    const child = spawnNode(["parent.cjs"], {}, new URL("programs", import.meta.url).pathname, "pipe");
    let output = "";
    child.stdout?.on("data", (chunk) => {
      output += chunk;
    });
    expect(await once(child, "close")).toEqual([0, null]);
    expect(output.trim().split("\n")).toEqual([
      'the helper says "work"',
      'the helper says "waiting"',
      "the helper ended by SIGTERM",
      "an idle one ended by 0",
    ]);
  });
});
