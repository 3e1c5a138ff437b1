// Requests to the API: they retry transient failures (no network, 429, 502 to 504) and throw Refused for all others.
const REQUEST_TIMEOUT_MS = 10_000;
/** A request without a response for this long, in milliseconds, is reported as slow while it goes on. */
const SLOW_MS = 3000;
const MAX_BACKOFF_MS = 15_000;
/** The longest Retry-After that is respected, in milliseconds. */
const MAX_RETRY_AFTER_MS = 60_000;

/** An RFC 9457 problem as the API answers it. */
export type Problem = {
  title?: string;
  detail?: string;
  errors?: { pointer?: string; code: string; detail: string }[];
  references?: Record<string, number>;
};
/** Why requests have no response yet: no network, a failing server, a rate limit, or a slow response. */
export type Trouble = "offline" | "away" | "busy" | "slow";
export type Page<Item> = { items: Item[]; next: string | null };

/** A response without success; `problem` is its RFC 9457 body, or {} without one. */
export class Refused extends Error {
  readonly status: number;
  readonly problem: Problem;
  readonly requestId: string | null;

  constructor(status: number, problem: Problem, requestId: string | null) {
    super(problem.detail ?? problem.title ?? String(status));
    this.status = status;
    this.problem = problem;
    this.requestId = requestId;
  }
}

const waiting = new Set<() => void>();
/** Requests from their first failure until their response or their end, each with the reason. */
const failing = new Map<object, Trouble>();
let answered = true;
/** `state` receives the reason while requests are being retried, then null; `back`: the last response was a success. */
type Listeners = {
  state: (reason: Trouble | null, back: boolean) => void;
  answer: (headers: Headers) => void;
};
const listeners: Listeners = { state: () => {}, answer: () => {} };

/** Sets the listeners for the state of the connection and for the headers of each response. */
export function onConnection(state: Listeners["state"], answer: Listeners["answer"]): void {
  Object.assign(listeners, { state, answer });
}

/** Ends every wait: the requests are sent again at once. */
export function retryNow(): void {
  for (const go of [...waiting]) go();
}
addEventListener("online", retryNow);
// A request shows whether the API is out of reach: a browser that reports "offline" may reach a server in its own network. The page
// would otherwise notice it at its next refresh.
let probing = false;
addEventListener("offline", () => {
  if (probing) return;
  probing = true;
  get("/customers?limit=1")
    .catch(() => {})
    .finally(() => {
      probing = false;
    });
});

function reportState(): void {
  const reasons = [...failing.values()];
  listeners.state(reasons.find((reason) => reason === "offline") ?? reasons[0] ?? null, answered);
}

function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise<void>((resolve, reject) => {
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

/** Milliseconds, or undefined without a usable Retry-After. */
function retryAfter(response: Response): number | undefined {
  const value = response.headers.get("Retry-After");
  const seconds = Number(value ?? Number.NaN);
  const ms = Number.isNaN(seconds) ? Date.parse(value ?? "") - Date.now() : seconds * 1000;
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

type Options = { body?: unknown; version?: number; key?: string; signal?: AbortSignal };

/**
 * Sends a request to /api and retries until it has a response or `signal` aborts it; resolves with the body. A change
 * carries a version (If-Match) or a key (Idempotency-Key), so a retry is safe.
 *
 * @throws {Refused} on a response that a retry cannot change
 */
export async function send<Data>(
  method: string,
  path: string,
  { body, version, key, signal }: Options = {},
): Promise<Data> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (version !== undefined) headers["If-Match"] = `"${version}"`;
  if (key !== undefined) headers["Idempotency-Key"] = key;
  const fail = (reason: Trouble) => {
    answered = false;
    failing.set(headers, reason);
    reportState();
  };
  const slow = setTimeout(() => failing.has(headers) || fail("slow"), SLOW_MS);
  try {
    for (let tries = 1; ; tries++) {
      const backOff = Math.min(MAX_BACKOFF_MS, 500 * 2 ** tries) * (0.75 + Math.random() / 2);
      let response: Response;
      let text: string;
      try {
        const timeout = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
        response = await fetch(`${location.origin}/api${path}`, {
          method,
          headers,
          body: body === undefined ? undefined : JSON.stringify(body),
          cache: "no-store",
          signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
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
          wait === undefined ? backOff : Math.max(Math.min(wait, MAX_RETRY_AFTER_MS) + jitter, tries > 3 ? backOff : 0),
          signal,
        );
        continue;
      }
      if (response.ok) return (text ? JSON.parse(text) : undefined) as Data;
      throw new Refused(response.status, parsed(text), response.headers.get("X-Request-Id"));
    }
  } finally {
    clearTimeout(slow);
    // Delayed, because the next view's requests may fail as well: the banner must not flicker.
    if (failing.delete(headers)) setTimeout(reportState, 300);
  }
}

function parsed(text: string): Problem {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}

export const get = <Data>(path: string, signal?: AbortSignal) => send<Data>("GET", path, { signal });

/** Reads a list page by page, up to `pages` pages; `next` is the cursor of the first page that was not read. */
export async function getAll<Item>(path: string, signal: AbortSignal, pages = 5): Promise<Page<Item>> {
  const items: Item[] = [];
  let next: string | null = null;
  for (let i = 0; i < pages; i++) {
    const page: Page<Item> = await get(`${path}${next ? `&after=${encodeURIComponent(next)}` : ""}`, signal);
    items.push(...page.items);
    next = page.next;
    if (!next) break;
  }
  return { items, next };
}

/** An idempotency key. getRandomValues works without HTTPS, unlike randomUUID. */
export const newKey = (): string =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

export const isAbort = (error: unknown): boolean => error instanceof Error && error.name === "AbortError";
