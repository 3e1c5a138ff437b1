/** The scenario `desk`: the requests of a front desk, in rounds without the service's cache of lists and with it in turn. */
import http from "node:http";
import https from "node:https";
import { setTimeout as pause } from "node:timers/promises";
import { now } from "../lib/clock.ts";
import { elapsed } from "../lib/exec.ts";
import type { LoadOptions } from "../loadgen/options.ts";
import type { Sample } from "../loadgen/sample.ts";
import { clientMetrics } from "./metrics.ts";
import type { Run } from "./run.ts";
import type { Plan } from "./scenarios.ts";

export type DeskRequest = { method: "GET" | "POST" | "PATCH"; path: string; body?: object };

/** A round: its requests, its lists, how many of them the service had in memory, and PostgreSQL's seconds of CPU where they are known. */
export type Round = { cached: boolean; requests: number; lists: number; hits: number; cpu?: number };

type Target = Pick<LoadOptions, "host" | "port" | "domain" | "tls" | "authorization" | "writes">;
/** Ids of the rows that an intake has made. */
type Made = Record<"customer" | "vehicle" | "service", { id: number }>;
/** A request's result; `cache` is a list's X-Cache. */
type DeskSample = Sample & { cache?: string };

/**
 * One request of so many is a person's, the others are refreshes of open boards. A day of 40 jobs (16 requests each, 6 of them writes) with five
 * boards, which read four lists each 15 s for 9 hours, has one of 68.
 */
const PERSON_EVERY = 60;
/** Seconds of the first round, which warms up the service and PostgreSQL, and does not count. */
const WARM_UP = 5;
const TIMEOUT_MS = 10_000;
const INTAKE = "/api/intake";
const WORDS = ["budi", "sant", "toyota", "avanza"];
const DAY_MS = 86_400_000;

/** The lists of a board at a time, as app/web/workshop/board.ts reads them. */
function board(at: Date): string[] {
  const midnight = new Date(at.getFullYear(), at.getMonth(), at.getDate());
  const day = (days: number) => new Date(midnight.getTime() + days * DAY_MS).toISOString();
  const latest = "sort=-scheduled_at&limit=100";
  return [
    `/api/services?from=${day(0)}&to=${day(1)}&sort=scheduled_at&limit=100`,
    `/api/services?status=scheduled&to=${day(0)}&${latest}`,
    `/api/services?status=in_progress&to=${day(0)}&${latest}`,
    `/api/services?completed_from=${day(0)}&${latest}`,
  ];
}

const get = (path: string): DeskRequest => ({ method: "GET", path: `/api${path}` });

/** A job from the search for its customer to its payment. Without `made` only the requests until the intake are of use. */
function job(name: string, plate: string, word: string, at: Date, made?: Made): DeskRequest[] {
  const [customer, service] = [`/customers/${made?.customer.id}`, `/services/${made?.service.id}`];
  const change = (body: object): DeskRequest => ({ method: "PATCH", path: `/api${service}`, body });
  const line = (body: object): DeskRequest => ({
    method: "POST",
    path: "/api/lines",
    body: { service_id: made?.service.id, quantity: "1", ...body },
  });
  const q = encodeURIComponent(plate);
  return [
    get(`/customers?limit=25&q=${word}`),
    get(`/vehicles?limit=25&q=${word}`),
    {
      method: "POST",
      path: INTAKE,
      body: {
        customer: { name, phone: "0800 000" },
        vehicle: { plate, make: "Toyota", model: "Avanza", year: 2020 },
        service: { kind: "Ganti oli mesin", price: "350000", scheduled_at: at.toISOString() },
      },
    },
    get(customer),
    get(`${customer}/vehicles?limit=100`),
    get(`${customer}/services?sort=-scheduled_at&limit=25`),
    change({ status: "in_progress" }),
    get(service),
    get(`${service}/lines?limit=100`),
    line({ type: "part", name: "Oli mesin 10W-40", unit_price: "340000" }),
    line({ type: "labour", name: "Ganti oli", unit_price: "50000" }),
    get(`${service}/lines?limit=100`),
    change({ status: "done" }),
    change({ paid_at: at.toISOString() }),
    get(`/customers?limit=25&q=${q}`),
    get(`/vehicles?limit=25&q=${q}`),
  ];
}

/** The requests of a desk in their order. */
export class Desk {
  readonly #prefix: string;
  readonly #at: Date;
  readonly #board: string[];
  #turn = 0;
  #jobs = 0;
  #step = 0;
  #made: Made | undefined;

  /** @param prefix begins the customers' names; its last word, which is the run's own, is a part of the plates */
  constructor(prefix: string, at: Date) {
    this.#prefix = prefix;
    this.#at = at;
    this.#board = board(at);
  }

  next(): DeskRequest {
    const turn = this.#turn++;
    if (turn % PERSON_EVERY > 0) {
      // Moved on by one in each round of the board: with two backends in turn each list would otherwise go to one of them alone, which has to
      // read it once after a write, and not both.
      const round = Math.floor(turn / this.#board.length);
      return { method: "GET", path: this.#board[(turn + round) % this.#board.length] ?? "" };
    }
    // Without an answer to its intake a job cannot go on.
    if (this.#step > 2 && !this.#made) this.#step = 0;
    if (this.#step === 0) {
      this.#jobs += 1;
      this.#made = undefined;
    }
    const own = this.#prefix.split("-").at(-1)?.toUpperCase();
    const word = WORDS[this.#jobs % WORDS.length] ?? "";
    const all = job(`${this.#prefix}-${this.#jobs}`, `HL ${own} ${this.#jobs}`, word, this.#at, this.#made);
    const request = all[this.#step] as DeskRequest;
    this.#step = (this.#step + 1) % all.length;
    return request;
  }

  /** Takes the answer of a request. */
  learn({ path }: DeskRequest, status: number, body: string): void {
    if (path === INTAKE && status === 201) this.#made = JSON.parse(body);
  }
}

/** Sends one request; resolves with its result, also without an answer. */
function send(
  { host, port, domain, tls, authorization }: Target,
  agent: http.Agent,
  request: DeskRequest,
  cached: boolean,
  at: number,
): Promise<{ sample: DeskSample; body: string }> {
  const text = request.body && JSON.stringify(request.body);
  const headers = {
    Host: domain,
    Accept: "application/json",
    "User-Agent": "halo-load",
    ...(authorization && { Authorization: authorization }),
    ...(text && { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(text) }),
    ...(request.method === "PATCH" && { "If-Match": "*" }),
    ...(!cached && { "X-Halo-Cache": "off" }),
  };
  const sample: DeskSample = { at, ms: 0, late: 0, fresh: false, reused: false, status: 0, retryAfter: false };
  return new Promise((resolve) => {
    let body = "";
    const { method, path } = request;
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const outgoing = (tls ? https : http).request({ host, port, ...tls, agent, method, path, headers, signal });
    const end = (error?: NodeJS.ErrnoException) => {
      sample.ms = now() - at;
      sample.reused = outgoing.reusedSocket;
      if (error) Object.assign(sample, { status: 0, error: error.code ?? error.message });
      resolve({ sample, body });
    };
    outgoing.on("socket", () => {
      sample.late = now() - at;
    });
    outgoing.on("error", end);
    outgoing.on("response", (answer) => {
      const header = (name: string) => answer.headers[name]?.toString();
      sample.status = answer.statusCode ?? 0;
      sample.id = header("x-request-id");
      sample.by = header("x-served-by");
      sample.release = header("x-release");
      sample.cache = header("x-cache");
      sample.retryAfter = Number(answer.headers["retry-after"]) > 0;
      answer.setEncoding("utf8").on("data", (chunk) => {
        body += chunk;
      });
      answer.on("error", end);
      answer.on("end", () => end());
    });
    outgoing.end(text);
  });
}

/**
 * Runs the rounds of a desk's plan, after one that warms up. The first round is without the cache, the second with it, and so on.
 *
 * @param databaseCpu the seconds of CPU that PostgreSQL has used until now, where they are known
 */
export async function runDesk(
  { seconds, connections, desk: plan = { rate: 0, rounds: 0 } }: Pick<Plan, "seconds" | "connections" | "desk">,
  target: Target,
  databaseCpu: () => Promise<number | undefined>,
  interrupted: AbortSignal,
): Promise<Run & { rounds: Round[] }> {
  const agent = new (target.tls ? https : http).Agent({ keepAlive: true, maxSockets: connections });
  const desk = new Desk(target.writes ?? "", new Date());
  const one = async (cached: boolean, at: number): Promise<DeskSample> => {
    const request = desk.next();
    const { sample, body } = await send(target, agent, request, cached, at);
    desk.learn(request, sample.status, body);
    return sample;
  };
  const samples: DeskSample[] = [];
  const rounds: Round[] = [];
  let took = 0;
  for (let n = 0; n <= plan.rounds && !interrupted.aborted; n++) {
    const cached = n > 0 && n % 2 === 0;
    const before = await databaseCpu();
    const start = now();
    const sent: Promise<DeskSample>[] = [];
    const count = Math.round(plan.rate * (n === 0 ? Math.min(WARM_UP, seconds) : seconds));
    for (let i = 0; i < count && !interrupted.aborted; i++) {
      const due = start + (i * 1000) / plan.rate;
      await pause(Math.max(0, due - now()));
      sent.push(one(cached, due));
    }
    const ended = await Promise.all(sent);
    took += (now() - start) / 1000;
    const after = await databaseCpu();
    for (const sample of ended) samples.push(sample);
    if (n === 0 || ended.length < count) continue;
    const lists = ended.filter(({ cache }) => cache !== undefined);
    const round: Round = {
      cached,
      requests: ended.length,
      lists: lists.length,
      hits: lists.filter(({ cache }) => cache === "hit").length,
      ...(before !== undefined && after !== undefined && { cpu: after - before }),
    };
    rounds.push(round);
    const { p95, errors } = clientMetrics(ended, seconds);
    console.log(
      `${elapsed()}: round ${n} of ${plan.rounds}, cache ${cached ? "on" : "off"}: p95 ${p95?.toFixed(1) ?? "-"} ms, ${(errors * 100).toFixed(1)} % failed, PostgreSQL ${round.cpu?.toFixed(2) ?? "-"} s of CPU`,
    );
  }
  agent.destroy();
  return { samples, seconds: Math.max(took, 0.001), steps: [], rounds };
}

const NOT_PASSED =
  "the rounds without the cache had lists from memory, so they compare nothing. Fix: list this machine in unlimited_addresses (docs/operations/limits.md), then npm run up";

/** The result of the whole pairs of rounds, in sentences. */
export function deskNotes(rounds: Round[]): string[] {
  const pairs = rounds.flatMap((without, i) => {
    const cached = rounds[i + 1];
    return !without.cached && cached ? [{ without, cached }] : [];
  });
  if (pairs.length === 0) return ["no pair of rounds was finished"];
  const sum = (value: (pair: (typeof pairs)[number]) => number) => pairs.reduce((all, pair) => all + value(pair), 0);
  const [hits, lists] = [sum(({ cached }) => cached.hits), sum(({ cached }) => cached.lists)];
  const share = (part: number, whole: number) => `${((part / Math.max(whole, 1e-9)) * 100).toFixed(1)} %`;
  const known = pairs.every(({ without, cached }) => without.cpu !== undefined && cached.cpu !== undefined);
  const [off, on] = [sum(({ without }) => without.cpu ?? 0), sum(({ cached }) => cached.cpu ?? 0)];
  const passed = pairs.every(({ without }) => without.hits === 0);
  const each = pairs.map(({ without, cached }) => `${without.cpu?.toFixed(2)} and ${cached.cpu?.toFixed(2)}`);
  return [
    ...(passed ? [] : [NOT_PASSED]),
    `lists from the service's memory, with the cache: ${share(hits, lists)} (${hits} of ${lists})`,
    known
      ? `PostgreSQL's CPU: ${off.toFixed(2)} s without the cache, ${on.toFixed(2)} s with it, ${share(off - on, off)} less (by pair of rounds: ${each.join("; ")})`
      : "PostgreSQL's CPU is not known: its host did not answer each time, or does not count it",
  ];
}
