// Managed by Ansible (role app). Makes any app with a node:http server as safe to replace as Halo's own service, without the app's
// help: node --require preload.cjs. It never throws into the app: a part that fails is reported once, and the app runs without it.
//   HALO_PRELOAD=0                        switches it off
//   HALO_PORT                             the port whose server makes the app ready; without it, the first server does
//   HALO_HOST, HALO_METRICS_PORT          the address for metrics; PM2's number of the process is added to the port. No port: no metrics
//   HALO_RUNTIME                          the folder whose node_modules have prom-client, for metrics
//   HALO_NAME                             for X-Served-By; the host's name by default
//   LAME_DUCK_MS, SHUTDOWN_DEADLINE_MS    the phases of a stop: 500 and 8000 by default
// The file RELEASE in the working folder, or in a folder above it, has the text for X-Release.
"use strict";
const cluster = require("node:cluster");
const { subscribe } = require("node:diagnostics_channel");
const { errorMonitor } = require("node:events");
const { existsSync, readFileSync, writeSync } = require("node:fs");
const { createServer, Server, ServerResponse } = require("node:http");
const net = require("node:net");
const { constants, hostname } = require("node:os");
const { dirname, join } = require("node:path");
const { isMainThread } = require("node:worker_threads");

const SIGNALS = ["SIGINT", "SIGTERM"];
/** nginx must close idle connections first, or it sends a request on one that is closing here: above each of its keepalive_timeout. */
const KEEP_ALIVE_MS = 75_000;
const SWEEP_MS = 50;
/** From the last new connection until the first close of an idle one: a connection is idle until its first request arrives. */
const ON_THE_WAY_MS = 250;
/** The longest time for connections that wait to be accepted: below ON_THE_WAY_MS, in which the workers of an app still take them. */
const ACCEPTING_MS = 100;
/** A turn of the event loop in which nothing arrived. A connection that arrives in a longer one would be reset at its end. */
const QUIET_TURN_MS = 0.1;
/** Time for the workers of an app that clusters itself to end after their own deadline. PM2's SIGKILL comes 2 s after the deadline. */
const GRACE_MS = 1000;
const METRICS_RETRY_MS = 1000;
/** A warning follows after this many failures, one minute. */
const FAILURES_BEFORE_WARNING = 60;
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const BUCKETS_S = [
  0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2, 5,
];
/** nginx's status for a client that closed the connection before the end of its response. */
const CLIENT_CLOSED = 499;
/** Exported as 0 from the first request of a method on: a series that begins with its first failure has no rate. */
const FAILURES = [500, 503];
/** Another app has no patterns of routes, and a label of its paths would have no bound. */
const ROUTE = "other";

const noop = () => {};
// PM2 adds settings after this file is loaded, so all are read when they are needed.
const number = (name, fallback) => {
  const value = Number.parseInt(process.env[name] ?? "", 10);
  return Number.isNaN(value) ? fallback : value;
};

const reported = new Set();
function report(part, message, fix) {
  if (reported.has(part)) return;
  reported.add(part);
  try {
    // Not console.error, which the app or PM2 may have replaced.
    writeSync(2, `halo preload: ${part}: ${message}. The app runs without it. Fix: ${fix}\n`);
  } catch {} // there is nobody to report it to
}

/** The same function, but for its errors: they are reported as the failure of `part`. */
const guarded = (part, fix, work) =>
  function (...args) {
    try {
      return work.apply(this, args);
    } catch (error) {
      report(part, error?.message ?? error, fix);
    }
  };
const DEFECT = "report this as a defect of Halo; HALO_PRELOAD=0 switches the preload off";

/** Whether PM2 or systemd started this process, not the app itself: its children inherit the variable, and have another parent. */
const first = process.env.HALO_PRELOAD_PID === undefined;
/** Whether this process was forked by an app that was stopping already. It must not take requests that nobody will answer. */
const late = process.env.HALO_PRELOAD_LATE !== undefined;

// ---- The app's servers

const known = new WeakSet();
/** The servers that listen or have asked to: from then on, Node's cluster gives connections to a worker. */
const listening = new Set();
const sockets = new Set();
/** The servers that accept no connection any more, each with a promise of its last one's end. */
const draining = new WeakMap();
/** The listening sockets that this process accepts connections from for the workers of an app that clusters itself. */
const shared = new Set();
/** How many connections this process has accepted. */
let accepted = 0;
let metricsServer;
let ready = false;

/** Reports to PM2 that the app listens, so that a reload stops the old process only now. */
const sayReady = guarded("the ready signal", DEFECT, (address) => {
  const wanted = number("HALO_PORT", 0);
  if (ready || !first || !process.connected || (wanted && address?.port !== wanted)) return;
  ready = true;
  process.send("ready", noop);
});

/** An app may set its times at any moment, so this is repeated with each request. */
const keepIdleConnections = (server) => {
  if (server.keepAliveTimeout > 0 && server.keepAliveTimeout < KEEP_ALIVE_MS) server.keepAliveTimeout = KEEP_ALIVE_MS;
  // An older Node counts this time from the end of the request before.
  if (server.headersTimeout > 0 && server.headersTimeout <= server.keepAliveTimeout)
    server.headersTimeout = Math.min(
      server.keepAliveTimeout + 1000,
      Math.max(server.headersTimeout, server.requestTimeout || Number.POSITIVE_INFINITY),
    );
};

const adopt = guarded("the app's server", DEFECT, (server) => {
  if (known.has(server)) return;
  known.add(server);
  keepIdleConnections(server);
  server.on("listening", () => {
    release ??= findRelease();
    sayReady(server.address());
  });
  server.on("close", () => listening.delete(server));
  server.on(errorMonitor, () => server.listening || listening.delete(server));
  server.on("connection", (socket) => {
    accepted += 1;
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
});

// Node's cluster takes the socket out of its server, and has no other way to it.
const share = guarded("the sockets of workers", DEFECT, (server) => {
  const socket = server._handle;
  if (!cluster.isPrimary) return;
  setImmediate(() => {
    if (server._handle !== null) return;
    shared.add(socket);
    const { onconnection } = socket;
    socket.onconnection = function (...args) {
      accepted += 1;
      return onconnection.apply(this, args);
    };
  });
});

const { close, listen } = net.Server.prototype;

function watchServers() {
  net.Server.prototype.listen = function (...args) {
    if (late) return this;
    if (!(this instanceof Server)) this.once("listening", () => share(this));
    else if (this !== metricsServer) adopt(this);
    listen.apply(this, args);
    if (known.has(this)) listening.add(this);
    return this;
  };
  // The app's own handlers come when the server is closed already; they close it again, and an error might end them early.
  net.Server.prototype.close = function (callback) {
    const closed = draining.get(this);
    if (!closed) return close.call(this, callback);
    if (typeof callback === "function") closed.then(() => process.nextTick(() => callback.call(this)));
    return this;
  };
  // In an app that clusters itself its workers listen, and PM2 knows only the process that forked them.
  if (cluster.isPrimary) cluster.on("listening", (_worker, address) => sayReady(address));
}

// ---- The headers of each response

/** The release's id; null if there is none; undefined until the app listens: PM2 changes the folder after it has loaded this file. */
let release;
let servedBy;

function findRelease() {
  servedBy = process.env.HALO_NAME || hostname();
  const folder = process.cwd();
  for (let above = folder; ; above = dirname(above)) {
    try {
      const text = readFileSync(join(above, "RELEASE"), "utf8").trim();
      if (/^[\w.+-]+$/.test(text)) return text;
    } catch {} // it is not in this folder
    if (above === dirname(above)) break;
  }
  report(
    "X-Release",
    `no file RELEASE in ${folder} or above it names a release`,
    "start the app in a release's folder",
  );
  return null;
}

const prepareHead = guarded("the headers X-Release and X-Served-By", DEFECT, (res) => {
  if (res.headersSent) return;
  if (release) res.setHeader("X-Release", release);
  if (servedBy) res.setHeader("X-Served-By", servedBy);
  if (phase === "stopping") res.shouldKeepAlive = false;
});

function nameResponses() {
  // Later than the request: some frameworks remove all headers before they answer an error.
  const { writeHead } = ServerResponse.prototype;
  ServerResponse.prototype.writeHead = function (...args) {
    prepareHead(this);
    return writeHead.apply(this, args);
  };
}

// ---- The stop

/** "serving", "stopping" while the last requests are answered, then "stopped": signals are the app's own again. */
let phase = "serving";
const emit = process.emit;

// Node watches a signal while it has a listener, by the events of process. So they keep the watch without a listener: the app
// sees its own listeners only, in its own order.
const watch = (signal) => emit.call(process, "newListener", signal, noop);
const unwatch = (signal) => emit.call(process, "removeListener", signal, noop);

function takeSignals() {
  process.emit = function (event, ...args) {
    const asked = SIGNALS.includes(event) || (first && event === "message" && args[0] === "shutdown");
    if (!asked || phase === "stopped") return emit.call(this, event, ...args);
    if (phase === "serving") return begin(event, args);
    return true;
  };
  for (const signal of SIGNALS) watch(signal);
  process.on("removeListener", (event) => {
    if (phase !== "stopped" && SIGNALS.includes(event) && process.listenerCount(event) === 0) watch(event);
  });
  if (first && process.channel) {
    // Messages have no event without a listener. A listener keeps the process alive, unless Node believes that it was removed.
    process.on("message", noop);
    emit.call(process, "removeListener", "message", noop);
  }
  if (!cluster.isPrimary) return;
  const { fork } = cluster;
  cluster.fork = function (env, ...args) {
    return fork.call(this, phase === "serving" ? env : { ...env, HALO_PRELOAD_LATE: "1" }, ...args);
  };
}

/** @returns whether there was something to do, as process.emit does */
function begin(event, args) {
  const workers = Object.values(cluster.workers ?? {});
  if (listening.size === 0 && workers.length === 0) return passOn(event, args);
  phase = "stopping";
  const signal = event === "message" ? "SIGTERM" : event;
  const end = performance.now() + number("LAME_DUCK_MS", 500) + number("SHUTDOWN_DEADLINE_MS", 8000);
  drain(workers, signal)
    .catch((error) => report("the graceful stop", error.message, DEFECT))
    // Outside of the promise, so that an error of the app's handlers is an uncaught exception, as ever.
    .then(() => setImmediate(handOver, event, args, end));
  return true;
}

async function drain(workers, signal) {
  closeMetrics();
  const gone = workers.map((worker) => new Promise((resolve) => worker.once("exit", resolve)));
  for (const worker of workers) worker.process.kill(signal);
  // In an app that clusters itself its workers still take the last connections that the process before them has accepted.
  const more = cluster.isWorker && !first ? ON_THE_WAY_MS : 0;
  await new Promise((resolve) => setTimeout(resolve, number("LAME_DUCK_MS", 500) + more));
  const servers = [...listening];
  const accepting = [...shared, ...servers.map((server) => server._handle)];
  await acceptWaiting();
  // Before the servers, whose own close takes so long that new connections may wait at its end.
  for (const socket of accepting) socket?.close();
  const closed = servers.map(stopAccepting);
  const closeIdle = () => {
    for (const server of servers) server.closeIdleConnections?.();
  };
  const from = performance.now() + ON_THE_WAY_MS;
  // By setImmediate, so that requests which have arrived are read first.
  const sweep = setInterval(() => performance.now() > from && setImmediate(closeIdle), SWEEP_MS);
  const within = (ms) => new Promise((resolve) => setTimeout(resolve, ms).unref());
  const deadline = number("SHUTDOWN_DEADLINE_MS", 8000);
  await Promise.all([
    Promise.race([Promise.all(closed), within(deadline)]),
    Promise.race([Promise.all(gone), within(deadline + GRACE_MS)]),
  ]);
  clearInterval(sweep);
  // Requests without an end, and WebSockets, which have none.
  for (const socket of sockets) socket.destroy();
}

/** Accepts the connections that wait, for the close of their server would reset them: libuv accepts one in each turn of its loop. */
async function acceptWaiting() {
  const end = performance.now() + ACCEPTING_MS;
  for (let from = performance.now(); from < end; ) {
    const before = accepted;
    await new Promise(setImmediate);
    const took = performance.now() - from;
    if (accepted === before && took < QUIET_TURN_MS) return;
    from += took;
  }
}

/** Closes a server, but none of its connections: http's close would end the idle ones at once. */
function stopAccepting(server) {
  const closed = new Promise((resolve) => close.call(server, resolve));
  draining.set(server, closed);
  return closed;
}

/** A tool, or a process without a server yet, has nothing to finish: all is as without this file. */
function passOn(event, args) {
  if (emit.call(process, event, ...args)) return true;
  // An event that the app has emitted itself is no signal.
  if (SIGNALS.includes(event) && args.length > 0) {
    phase = "stopped";
    unwatch(event);
    process.kill(process.pid, event);
  }
  return false;
}

/** Gives the signal or the message to the app's own listeners after the last request, or ends the process. */
function handOver(event, args, end) {
  phase = "stopped";
  for (const signal of SIGNALS) if (process.listenerCount(signal) === 0) unwatch(signal);
  // PM2's own listener knows one other message.
  const own = process.listeners(event).filter((each) => each !== noop && !/log:reload/.test(String(each)));
  emit.call(process, event, ...args);
  if (own.length > 0) {
    // The app's listeners may be for other messages, so the process ends in any case.
    if (event === "message") setTimeout(() => process.exit(0), Math.max(end - performance.now(), GRACE_MS)).unref();
    return;
  }
  // PM2 sends SIGINT, and many apps know SIGTERM only.
  const others = SIGNALS.filter((signal) => signal !== event);
  // Unlike a signal, an exit keeps Node's compile cache.
  if (!others.some((signal) => emit.call(process, signal, signal, constants.signals[signal]))) process.exit(0);
}

// ---- Metrics

const byMethod = new Map();
let inFlight = 0;
let observe; // of the histogram, once prom-client is loaded
let closeMetrics = noop;

function countRequests() {
  const begun = guarded("the count of requests", DEFECT, ({ request, response, server }) => {
    if (!known.has(server)) return;
    keepIdleConnections(server);
    const startedAt = performance.now();
    inFlight += 1;
    response.once("close", () => {
      inFlight -= 1;
      ended(request.method, response, (performance.now() - startedAt) / 1000);
    });
  });
  const ended = guarded("the count of requests", DEFECT, (given, response, seconds) => {
    const method = METHODS.includes(given) ? given : "other";
    const status = response.writableFinished ? response.statusCode : CLIENT_CLOSED;
    let byStatus = byMethod.get(method);
    if (!byStatus) {
      byStatus = new Map(FAILURES.map((failure) => [failure, 0]));
      byMethod.set(method, byStatus);
    }
    byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
    observe?.(method, seconds);
  });
  subscribe("http.server.request.start", begun);
}

function readIfThere(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

/** The folder of this process's control group. In a container its path may begin with folders outside that are not visible. */
function controlGroup() {
  const parts =
    readIfThere("/proc/self/cgroup")
      .match(/^0::\/(.*)$/m)?.[1]
      .split("/") ?? [];
  while (parts.length > 0 && !existsSync(join("/sys/fs/cgroup", ...parts))) parts.shift();
  return join("/sys/fs/cgroup", ...parts);
}

/** The registry with the names of Halo's own service (app/src/metrics), so that rules and dashboards are the same. */
function createRegistry() {
  const runtime = process.env.HALO_RUNTIME;
  if (!runtime) throw new Error("HALO_RUNTIME names no folder with prom-client");
  const { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } = require(
    join(runtime, "node_modules/prom-client"),
  );
  const registry = new Registry();
  const registers = [registry];
  new Counter({
    name: "http_requests_total",
    help: "Finished requests; 499: the client closed the connection before the end of the response.",
    labelNames: ["method", "route", "status"],
    registers,
    collect() {
      this.reset();
      for (const [method, byStatus] of byMethod)
        for (const [status, count] of byStatus) this.inc({ method, route: ROUTE, status }, count);
    },
  });
  const duration = new Histogram({
    name: "http_request_duration_seconds",
    help: "From a request's head to the end of its response, or until its client closed the connection.",
    labelNames: ["method", "route"],
    buckets: BUCKETS_S,
    registers,
  });
  observe = (method, seconds) => duration.observe({ method, route: ROUTE }, seconds);
  new Gauge({
    name: "http_requests_in_flight",
    help: "Requests in progress.",
    registers,
    collect() {
      this.set(inFlight);
    },
  });
  new Gauge({
    name: "service_release_info",
    help: "1 for the release that this process runs.",
    labelNames: ["release"],
    registers,
    collect() {
      this.reset();
      if (release) this.set({ release }, 1);
    },
  });
  const group = controlGroup();
  for (const [name, file, line, help] of [
    // The kernel takes back what caches files.
    [
      "service_memory_bytes",
      "memory.stat",
      /^anon (\d+)$/m,
      "Memory of this service's processes, without cached files.",
    ],
    ["service_memory_limit_bytes", "memory.max", /^(\d+)$/m, "The memory that this service's processes may take."],
  ])
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.remove();
        const found = readIfThere(join(group, file)).match(line);
        if (found) this.set(Number(found[1]));
      },
    });
  collectDefaultMetrics({ register: registry });
  return registry;
}

/** Serves GET /metrics on this process' own port; while it is in use, by the process before this one, it tries again each second. */
const serveMetrics = guarded("metrics", "npm run up, which installs prom-client beside Node and PM2", () => {
  const base = number("HALO_METRICS_PORT", 0);
  if (base === 0 || phase !== "serving") return;
  const registry = createRegistry();
  const address = {
    host: process.env.HALO_HOST || "127.0.0.1",
    port: base + number("NODE_APP_INSTANCE", 0),
    exclusive: true, // PM2 shares every other port between the processes of the app
  };
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 10_000 }, async (req, res) => {
    if (req.url !== "/metrics" || (req.method !== "GET" && req.method !== "HEAD")) return void res.writeHead(404).end();
    try {
      const text = await registry.metrics();
      res.writeHead(200, { "Content-Type": registry.contentType }).end(text);
    } catch (error) {
      report("metrics", error.message, DEFECT);
      res.writeHead(500).end();
    }
  });
  metricsServer = server;
  let failures = 0;
  let timer;
  server.on("error", (error) => {
    if (++failures === FAILURES_BEFORE_WARNING)
      report("metrics", error.message, `free the port (ss -tlnp names its process), or give the app another one`);
    timer = setTimeout(() => server.listen(address), METRICS_RETRY_MS).unref();
  });
  server.listen(address);
  // An app that has nothing more to do ends.
  server.unref();
  closeMetrics = () => {
    clearTimeout(timer);
    server.removeAllListeners("error").on("error", noop);
    server.close();
    server.closeAllConnections?.();
  };
});

// ----

if (process.env.HALO_PRELOAD !== "0" && isMainThread) {
  process.env.HALO_PRELOAD_PID ??= String(process.pid);
  const parts = { watchServers, nameResponses, takeSignals, countRequests };
  for (const [name, start] of Object.entries(parts)) guarded(name, DEFECT, start)();
  // After PM2 has added its settings.
  if (first) setImmediate(serveMetrics);
}
