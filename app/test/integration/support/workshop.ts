import { request } from "node:http";

/** An answer of the workshop's API; `body` is its JSON, or undefined where it has none. */
export interface Reply {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads only the fields that it expects
  readonly body: any;
  readonly ms: number;
}

/**
 * One request over a connection of its own, as a test needs where processes die; rejects when it gets no answer.
 *
 * @param body sent as JSON, a string or buffer as it is
 */
export function send(
  url: string,
  method = "GET",
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const started = performance.now();
  const bytes =
    body === undefined ? undefined : typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const outgoing = request(url, {
      method,
      agent: false,
      headers: {
        ...(bytes === undefined
          ? {}
          : { "Content-Type": "application/json", "Content-Length": String(Buffer.byteLength(bytes)) }),
        ...headers,
      },
    });
    outgoing.on("error", reject);
    outgoing.on("response", (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk) => chunks.push(chunk));
      incoming.on("error", reject);
      incoming.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        const json = /json/.test(incoming.headers["content-type"] ?? "");
        resolve({
          status: incoming.statusCode ?? 0,
          headers: incoming.headers,
          body: json && text ? JSON.parse(text) : text || undefined,
          ms: performance.now() - started,
        });
      });
    });
    outgoing.end(bytes);
  });
}

let made = 0;

/** Bodies that the API takes; each has a name or plate of its own. */
export const aCustomer = (more: object = {}) => ({ name: `Budi ${++made}`, phone: "0812-0000-0001", ...more });
export const aVehicle = (customer_id: number, more: object = {}) => ({
  customer_id,
  plate: `B ${++made} TST`,
  make: "Toyota",
  model: "Avanza",
  year: 2020,
  ...more,
});
export const aService = (vehicle_id: number, more: object = {}) => ({
  vehicle_id,
  kind: "Ganti oli mesin",
  status: "scheduled",
  price: "350000",
  scheduled_at: "2026-11-21T03:00:00.000Z",
  ...more,
});

export const aLine = (service_id: number, more: object = {}) => ({
  service_id,
  type: "part",
  name: "Oli mesin 10W-40",
  quantity: "4",
  unit_price: "85000",
  ...more,
});

/** How often each kind of answer came: {"201": 1, "409": 199}. */
export function tally(replies: Reply[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status } of replies) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

/** The value below which 95 of 100 lie. */
export const p95 = (values: number[]): number =>
  values.toSorted((a, b) => a - b)[Math.ceil(values.length * 0.95) - 1] ?? 0;
