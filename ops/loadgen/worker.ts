/** The thread behind startLoad: sends each request when it is due, whatever the result of the ones before it. */
import http, { type IncomingMessage } from "node:http";
import https from "node:https";
import { createSecureContext, TLSSocket } from "node:tls";
import { parentPort, workerData } from "node:worker_threads";
import { now } from "../lib/clock.ts";
import { type LoadOptions, retryDelay, writesPath } from "./options.ts";
import { isWritten, type Sample } from "./sample.ts";

const options: LoadOptions = workerData;
const { host, port, domain, rate, fresh = false, writes, path, most = Number.POSITIVE_INFINITY, clients } = options;
const timeoutMs = 10_000; // ms for one whole request
const lastMs = (options.lastSeconds ?? 10) * 1000;
const lastWaitMs = lastMs / 2; // so that each write can be sent again before the load gives up
const maxInFlight = 10_000; // requests at once; more are not sent, lest they fill the memory
const { Agent, request } = options.tls ? https : http;
const agent = fresh ? false : new Agent({ keepAlive: true, maxSockets: options.connections });
/** One for all connections: to read the CA for each of them would take a quarter of its CPU time. */
const secure = options.tls && {
  servername: options.tls.servername,
  rejectUnauthorized: options.tls.rejectUnauthorized ?? true,
  secureContext: createSecureContext({ ca: options.tls.ca }),
};
/** For every second one of the new connections by https: it resumes the session of an earlier one. */
const resuming = fresh && options.tls ? new Agent({ keepAlive: false }) : agent;
const headers = {
  Host: domain,
  Accept: "application/json",
  "User-Agent": options.agent ?? (path ? "halo-load" : "halo-drill"),
  ...(options.authorization && { Authorization: options.authorization }),
};
// Any app takes the smallest JSON, or refuses it.
const body = options.method === "POST" ? "{}" : undefined;
if (body) Object.assign(headers, { "Content-Type": "application/json" });

let inFlight = 0;
let stopping = false;
let giveUp = Number.POSITIVE_INFINITY;
let written = 0;
let due = now();
let sent = 0;
let ended: Sample[] = [];
const waiting = new Map<NodeJS.Timeout, () => void>();

/** The headers and body that a write sends besides. */
const post = (key: string) => ({
  method: "POST",
  path: writesPath,
  headers: { ...headers, "Content-Type": "application/json", ...(path ? {} : { "Idempotency-Key": key }) },
});
const nextKey = () => writes && `${writes}-${written++}`;

/** Sends one request, a write if it has a key, which has been tried so often; `next` comes after its end. */
function send(at: number, key = path ? undefined : nextKey(), next?: () => void, tries = 0): void {
  const sample: Sample = { at, ms: 0, late: 0, fresh, reused: false, status: 0, retryAfter: false };
  if (key) sample.key = key;
  if (body) sample.post = true;
  if (inFlight >= maxInFlight) {
    report({ ...sample, unsent: true, error: `not sent: ${maxInFlight} requests are waiting` });
    return;
  }
  inFlight++;
  const outgoing = request({
    host,
    port,
    ...secure,
    agent: sent % 2 === 0 ? agent : resuming,
    path,
    headers,
    method: options.method,
    ...(key && post(key)),
  });
  const timer = setTimeout(() => outgoing.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)), timeoutMs);
  outgoing.on("socket", () => {
    sample.late = now() - at;
  });
  let over = false;
  const end = (error?: string) => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    sample.ms = now() - at;
    sample.reused = outgoing.reusedSocket;
    if (error) sample.error = error;
    report(sample);
    const repeat = key && !path && !isWritten(sample);
    const again = () => {
      inFlight--;
      if (repeat && now() < giveUp) send(now(), key, undefined, tries + 1);
      if (!stopping) next?.();
      exitIfIdle();
    };
    // Requests that have waited together must not all come at once, nor so often that nobody gets through.
    if (repeat) waitFor(retryDelay(tries, sample.retryAfter, waiting.size, rate) * (0.5 + Math.random()), again);
    else again();
  };
  const lost = (error: NodeJS.ErrnoException) => {
    sample.status = 0;
    end(error.code ?? error.message);
  };
  outgoing.on("error", lost);
  outgoing.on("response", (answer) => {
    if (fresh && answer.socket instanceof TLSSocket && answer.socket.isSessionReused()) sample.resumed = true;
    let body = "";
    answer.on("error", lost);
    answer.on("end", () => end(read(sample, answer, body)));
    if (path) answer.resume();
    else
      answer.setEncoding("utf8").on("data", (chunk) => {
        body += chunk;
      });
  });
  outgoing.end(key ? JSON.stringify({ name: key, phone: "0800 000" }) : body);
}

/** Calls this after so many ms; once the load stops, within its last seconds. */
function waitFor(ms: number, again: () => void): void {
  const call = () => {
    waiting.delete(timer);
    again();
  };
  const timer = setTimeout(call, stopping ? Math.min(ms, lastWaitMs) : ms);
  waiting.set(timer, again);
}

/** Sends the samples of ended requests to the parent, some at a time: a message for each would cost more than its request. */
function report(sample: Sample): void {
  if (ended.push(sample) === 1) setTimeout(flush, path ? 200 : 10);
}

function flush(): void {
  parentPort?.postMessage(ended);
  ended = [];
}

/** Fills in the answer's values; gives its problem, if any. */
function read(sample: Sample, { statusCode = 0, headers }: IncomingMessage, body: string): string | undefined {
  const header = (name: string) => headers[name]?.toString();
  sample.status = statusCode;
  sample.id = header("x-request-id");
  sample.by = header("x-served-by");
  sample.release = header("x-release");
  sample.retryAfter = Number(headers["retry-after"]) > 0;
  if (path) {
    // An app may refuse a POST that it does not know; a 5xx is a failure.
    sample.answered = statusCode < (options.method === "POST" ? 500 : 400);
    return undefined;
  }
  try {
    const { container_id, database_status, total_visits, id, name } = JSON.parse(body);
    if (sample.key) return statusCode === 201 && !(id && name === sample.key) ? `not the row: ${body}` : undefined;
    if (statusCode === 200 && (container_id !== sample.by || !Number.isInteger(total_visits)))
      return `not a visit: ${body}`;
    if (statusCode === 503 && sample.by && (database_status !== "Terputus" || total_visits !== null))
      return `not the contract's 503: ${body}`;
    if (statusCode === 200) sample.total = total_visits;
  } catch {
    return `not JSON: ${body.slice(0, 100)}`;
  }
  return undefined;
}

function tick(): void {
  if (stopping) return;
  for (; due <= now() && sent < most; due += 1000 / rate, sent++) send(due); // a late timer sends all that is due
  if (sent < most) setTimeout(tick, Math.max(0, due - now()));
  else stop();
}

/** One of the clients, who has so many rounds to go. */
function client(times: number): void {
  const get = () => send(now(), undefined, () => (times > 1 ? client(times - 1) : undefined));
  send(now(), nextKey(), get);
}

function stop(): void {
  stopping = true;
  giveUp = now() + lastMs;
  for (const [timer, again] of [...waiting]) {
    clearTimeout(timer);
    waiting.delete(timer);
    waitFor(Math.random() * lastWaitMs, again);
  }
  exitIfIdle();
}

function exitIfIdle(): void {
  if (inFlight > 0 || !(stopping || clients)) return;
  flush();
  process.exit();
}

parentPort?.on("message", stop);
if (clients) for (let i = 0; i < clients.count; i++) client(clients.times);
else tick();
