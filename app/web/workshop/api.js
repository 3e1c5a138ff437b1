// One way to ask the API: waits out what passes by itself (no network, 429, 502-504) and throws Refused for the rest.
const PATIENCE_MS = 10_000;
const LONGEST_WAIT_MS = 15_000;

/** An answer that is no success; problem is the RFC 9457 body, or {} when it had none. */
export class Refused extends Error {
  constructor(status, problem, requestId) {
    super(problem.detail ?? problem.title ?? String(status));
    this.status = status;
    this.problem = problem;
    this.requestId = requestId;
  }
}

const waiting = new Set();
const failing = new Map(); // why, by request: from its first failure until its answer or its end
let answered = true;
const listeners = { state: () => {}, answer: () => {} };

/** state(reason, back): "offline", "away" or "busy" while requests are tried again, or null; back: one got its answer. */
export function onConnection(state, answer) {
  Object.assign(listeners, { state, answer });
}

/** Ends every wait: the requests are sent again at once. */
export function retryNow() {
  for (const go of [...waiting]) go();
}
addEventListener("online", retryNow);

function tell() {
  const reasons = [...failing.values()];
  listeners.state(reasons.find((reason) => reason === "offline") ?? reasons[0] ?? null, answered);
}

function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      waiting.delete(end);
      if (signal?.aborted) reject(signal.reason);
      else resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end);
    waiting.add(end);
  });
}

function retryAfter(response) {
  const value = response.headers.get("Retry-After");
  const seconds = Number(value ?? Number.NaN);
  const ms = Number.isNaN(seconds) ? Date.parse(value) - Date.now() : seconds * 1000;
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

/**
 * Sends a request to /api until it has an answer or signal ends it. A change carries a version (If-Match) or a key
 * (Idempotency-Key), so that sending it again does no harm. Answers {data, headers, tries}.
 */
export async function ask(method, path, { body, version, key, signal } = {}) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (version !== undefined) headers["If-Match"] = `"${version}"`;
  if (key !== undefined) headers["Idempotency-Key"] = key;
  const fail = (reason) => {
    answered = false;
    failing.set(headers, reason);
    tell();
  };
  try {
    for (let tries = 1; ; tries++) {
      const backOff = Math.min(LONGEST_WAIT_MS, 500 * 2 ** tries) * (0.75 + Math.random() / 2);
      let response;
      let text;
      try {
        const patience = AbortSignal.timeout(PATIENCE_MS);
        response = await fetch(`/api${path}`, {
          method,
          headers,
          body: body === undefined ? undefined : JSON.stringify(body),
          cache: "no-store",
          signal: signal ? AbortSignal.any([signal, patience]) : patience,
        });
        text = await response.text();
      } catch {
        signal?.throwIfAborted();
        fail("offline");
        await pause(backOff, signal);
        continue;
      }
      listeners.answer(response.headers);
      answered = ![429, 502, 503, 504].includes(response.status);
      if (!answered) {
        fail(response.status === 429 ? "busy" : "away");
        const wait = retryAfter(response);
        const jitter = Math.random() * 250;
        await pause(
          wait === undefined ? backOff : Math.max(Math.min(wait, 60_000) + jitter, tries > 3 ? backOff : 0),
          signal,
        );
        continue;
      }
      if (response.ok) return { data: text ? JSON.parse(text) : null, headers: response.headers, tries };
      throw new Refused(response.status, parsed(text), response.headers.get("X-Request-Id"));
    }
  } finally {
    // A moment later: what the next view asks may fail as well, and the banner does not blink.
    if (failing.delete(headers)) setTimeout(tell, 300);
  }
}

function parsed(text) {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}

export const get = async (path, signal) => (await ask("GET", path, { signal })).data;

/** Every page of a list, one after another, up to so many pages. */
export async function getAll(path, signal, pages = 5) {
  const items = [];
  let next = null;
  for (let i = 0; i < pages; i++) {
    const page = await get(`${path}${next ? `&after=${encodeURIComponent(next)}` : ""}`, signal);
    items.push(...page.items);
    next = page.next;
    if (!next) break;
  }
  return { items, next };
}

/** A key for a request that must happen once. getRandomValues works without HTTPS, unlike randomUUID. */
export const newKey = () =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

export const isAbort = (error) => error?.name === "AbortError";
