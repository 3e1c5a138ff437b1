/** The thread behind startLoad: sends each request when it is due, whatever became of those before it. */
import { Agent, type IncomingMessage, request } from "node:http";
import { parentPort, workerData } from "node:worker_threads";
import { type LoadOptions, now, type Shot } from "./load.ts";
import { isWritten } from "./tally.ts";

const { host, port = 80, domain, rate, fresh = false, writes }: LoadOptions = workerData;
const patience = 10_000; // ms for one whole request
const agent = fresh ? false : new Agent({ keepAlive: true });
const headers = { Host: domain, Accept: "application/json", "User-Agent": "halo-drill" };

let outstanding = 0;
let stopping = false;
let giveUp = Number.POSITIVE_INFINITY;
let written = 0;
let due = now();

/** What a write sends besides. */
const post = (key: string) => ({
  method: "POST",
  path: "/api/customers",
  headers: { ...headers, "Content-Type": "application/json", "Idempotency-Key": key },
});

function shoot(at: number, key = writes && `${writes}-${written++}`): void {
  outstanding++;
  const shot: Shot = { at, ms: 0, late: now() - at, fresh, reused: false, status: 0, retryAfter: false };
  if (key) shot.key = key;
  const outgoing = request({ host, port, agent, headers, ...(key && post(key)) });
  const timer = setTimeout(() => outgoing.destroy(new Error(`no answer within ${patience / 1000} s`)), patience);
  let over = false;
  const end = (error?: string) => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    shot.ms = now() - at;
    shot.reused = outgoing.reusedSocket;
    if (error) shot.error = error;
    parentPort?.postMessage(shot);
    const again = () => {
      outstanding--;
      if (key && !isWritten(shot) && now() < giveUp) shoot(now(), key);
      leave();
    };
    if (key && !isWritten(shot)) setTimeout(again, shot.retryAfter ? 1000 : 200);
    else again();
  };
  const lost = (error: NodeJS.ErrnoException) => {
    shot.status = 0;
    end(error.code ?? error.message);
  };
  outgoing.on("error", lost);
  outgoing.on("response", (answer) => {
    let body = "";
    answer.setEncoding("utf8");
    answer.on("data", (chunk) => {
      body += chunk;
    });
    answer.on("error", lost);
    answer.on("end", () => end(read(shot, answer, body)));
  });
  outgoing.end(key && JSON.stringify({ name: key, phone: "0800 000" }));
}

/** Fills in what the answer says; gives what is wrong with it, if anything. */
function read(shot: Shot, { statusCode = 0, headers }: IncomingMessage, body: string): string | undefined {
  const header = (name: string) => headers[name]?.toString();
  shot.status = statusCode;
  shot.id = header("x-request-id");
  shot.by = header("x-served-by");
  shot.release = header("x-release");
  shot.retryAfter = Number(headers["retry-after"]) > 0;
  try {
    const { container_id, database_status, total_visits, id, name } = JSON.parse(body);
    if (shot.key) return statusCode === 201 && !(id && name === shot.key) ? `not the row: ${body}` : undefined;
    if (statusCode === 200 && (container_id !== shot.by || !Number.isInteger(total_visits)))
      return `not a visit: ${body}`;
    if (statusCode === 503 && shot.by && (database_status !== "Terputus" || total_visits !== null))
      return `not the contract's 503: ${body}`;
    if (statusCode === 200) shot.total = total_visits;
  } catch {
    return `not JSON: ${body.slice(0, 100)}`;
  }
  return undefined;
}

function tick(): void {
  if (stopping) return;
  for (; due <= now(); due += 1000 / rate) shoot(due); // a late timer sends all that is due
  setTimeout(tick, Math.max(0, due - now()));
}

function leave(): void {
  if (stopping && outstanding === 0) process.exit();
}

parentPort?.on("message", () => {
  stopping = true;
  giveUp = now() + patience;
  leave();
});
tick();
