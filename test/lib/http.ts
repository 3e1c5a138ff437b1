import http from "node:http";
import https from "node:https";
import { connect } from "node:net";
import { inGroup } from "../../ops/cluster/inventory.ts";
import { counterSite, loginOf, siteFor, sites, wayTo } from "../../ops/cluster/sites.ts";
import { backends, until } from "./hosts.ts";

export const balancerAddress = inGroup("balancers")[0]?.address ?? "";
// Read once: a test under load sends thousands of requests.
const all = sites();
/** The counter's site, its name and its first port. */
export const counter = counterSite(all);
export const {
  domain,
  ports: [port],
} = counter;

/** The site with this name; the counter's for any other name. */
const siteNamed = (name: unknown) => all.find((site) => site.domain === name) ?? counter;
/** The first port of the site with this name, by http. */
export const portFor = (name: unknown): number => siteNamed(name).ports[0];

export type Answer = { status: number; headers: http.IncomingHttpHeaders; body: string; bytes: Buffer; ms: number };
export type Visit = {
  container_id: string;
  message: string;
  database_status: string;
  info: string;
  total_visits: number | null;
};

/** The way by https to any name, which an app may have got since this file was read; its certificate is the local CA's. */
const secureWay = (name: string) => wayTo({ ...counter, domain: name, tls: "local" }, true);

/**
 * One request to the balancer (or another host and port), to the site that has the path; ms is the time to the last byte.
 *
 * @param options with `secure` by https, to the name in the header Host
 */
export function request(
  path = "/",
  { secure = false, ...options }: http.RequestOptions & { secure?: boolean } = {},
  body?: string | Buffer,
): Promise<Answer> {
  const since = performance.now();
  const given = { Host: siteFor(path, all).domain, ...options.headers };
  const site = siteNamed(given.Host);
  const headers = { ...loginOf(site), ...given };
  // Another host or port is asked by http.
  const own = options.port === undefined && options.host === undefined;
  const { port, tls } = secure ? secureWay(`${headers.Host}`) : wayTo(site, own ? undefined : false);
  return new Promise((resolve, reject) => {
    const outgoing = (tls ? https : http).request(
      {
        host: balancerAddress,
        port,
        ...tls,
        path,
        timeout: 15_000,
        agent: false,
        ...options,
        ...(secure && { port }),
        headers,
      },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on("data", (chunk) => chunks.push(chunk));
        incoming.on("error", reject);
        incoming.on("end", () => {
          const bytes = Buffer.concat(chunks);
          const ms = performance.now() - since;
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: bytes.toString(), bytes, ms });
        });
      },
    );
    outgoing.on("timeout", () => outgoing.destroy(new Error(`no answer to ${path} within 15 s`)));
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

/** One visit; throws when the answer is no JSON. */
export async function visit(options: http.RequestOptions = {}): Promise<Answer & { visit: Visit }> {
  const answer = await request("/", options);
  return { ...answer, visit: JSON.parse(answer.body) as Visit };
}

/** Whether every backend answered, and each always after the same one. */
export const inTurn = (names: string[]): boolean =>
  new Set(names).size === backends.length &&
  names.every((name, i) => i < backends.length || name === names[i - backends.length]);

/** Until the backends answer strictly in turn: none is ejected, nor asked less often because it failed a moment ago. */
export const answerInTurn = (): Promise<number> =>
  until("the backends answer in turn", 60_000, async () => {
    const names: string[] = [];
    for (let i = 0; i < 4 * backends.length; i++) names.push((await visit()).visit.container_id);
    return inTurn(names);
  });

/**
 * Sends these bytes to the counter's port, or another one, as they are; resolves with the bytes that come back until it closes
 * (at most 10 s), or until they match `enough`.
 */
export function raw(bytes: string | Buffer, to = port, enough?: RegExp): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(to, balancerAddress, () => socket.write(bytes));
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      if (enough?.test(text)) socket.destroy();
    });
    socket.setTimeout(10_000, () => socket.destroy());
    socket.on("error", () => {}); // a reset is a close; the bytes before it count
    socket.on("close", () => resolve(text));
  });
}

/** Whether a TCP connection opens: "open", "refused", or "silent" after the given milliseconds. */
export function knock(host: string, port: number, ms = 1500): Promise<"open" | "refused" | "silent"> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (state: "open" | "refused" | "silent") => {
      socket.destroy();
      resolve(state);
    };
    socket.setTimeout(ms, () => end("silent"));
    socket.on("connect", () => end("open"));
    socket.on("error", () => end("refused"));
  });
}

/**
 * A WebSocket to the site of this domain, or with `secure` by https: the texts that came in, a function that sends one, and its end.
 * Rejects when it is not opened.
 */
export function openSocket(
  domain: string,
  path = "/",
  secure = false,
): Promise<{ words: string[]; send(text: string): void; close(): void; closed: Promise<void> }> {
  return new Promise((resolve, reject) => {
    const headers = {
      Host: domain,
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", // RFC 6455, 1.3
    };
    const { port, tls } = secure ? secureWay(domain) : { port: portFor(domain), tls: undefined };
    const ask = { host: balancerAddress, port, ...tls, path, headers, agent: false };
    const outgoing = (tls ? https : http).request(ask);
    outgoing.on("upgrade", (_response, socket, head) => {
      const words: string[] = [];
      let bytes: Buffer = head;
      // Short texts in frames of their own; RFC 6455, 5.2.
      const read = () => {
        while (bytes.length >= 2 && bytes.length >= 2 + (bytes[1] ?? 0)) {
          const length = bytes[1] ?? 0;
          if (bytes[0] === 0x81) words.push(bytes.subarray(2, 2 + length).toString());
          bytes = bytes.subarray(2 + length);
        }
      };
      read();
      socket.on("data", (data: Buffer) => {
        bytes = Buffer.concat([bytes, data]);
        read();
      });
      socket.on("error", () => {}); // "close" follows
      const closed = new Promise<void>((ended) => socket.once("close", () => ended()));
      const send = (text: string) =>
        socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]));
      resolve({ words, send, close: () => socket.destroy(), closed });
    });
    outgoing.on("response", ({ statusCode }) => reject(new Error(`not upgraded: ${statusCode}`)));
    outgoing.on("error", reject);
    outgoing.end();
  });
}
