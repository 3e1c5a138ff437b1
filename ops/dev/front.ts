import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import { extname, join, normalize } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { UserError } from "../lib/cli.ts";

const types: Record<string, string> = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".js": "text/javascript",
  ".svg": "image/svg+xml",
};
/** How long a request waits for a service that is being restarted, in ms. */
const WAIT_MS = 10_000;

/** The target that answers a path, or everything below it where it ends with a slash: a folder, or the service. The first route counts. */
type Route = { path: string; folder?: string };

/**
 * Answers on loopback as the balancer does for one site: some paths from folders, all others by the service.
 *
 * @param service its port
 */
export async function listen(port: number, service: number, routes: Route[]): Promise<Server> {
  const server = createServer((req, res) => {
    const path = URL.parse(req.url ?? "/", "http://localhost")?.pathname ?? "/"; // null for //
    const found = routes.find((each) => path === each.path || (each.path.endsWith("/") && path.startsWith(each.path)));
    const name = found?.path.endsWith("/") ? path.slice(found.path.length) : path;
    const answer = found?.folder ? file(res, found.folder, name) : proxy(req, res, service);
    answer.catch((error) =>
      fail(res, 503, `The service does not answer (${error.message}). Its own output has the reason.`),
    );
  });
  server.listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch (error) {
    throw new UserError(
      `port ${port} cannot be used (${(error as Error).message})`,
      `npm run dev -- --port ${port + 1000}`,
    );
  }
  return server;
}

function fail(res: ServerResponse, status: number, text: string): void {
  if (res.headersSent) return void res.destroy();
  res.writeHead(status, { "Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store" }).end(`${text}\n`);
}

async function file(res: ServerResponse, folder: string, asked: string): Promise<void> {
  try {
    const name = normalize(`/${decodeURIComponent(asked) || "index.html"}`); // nothing above the folder
    const body = await readFile(join(folder, name));
    const type = types[extname(name)] ?? "application/octet-stream";
    res.writeHead(200, { "Content-Type": type, "Cache-Control": "no-store" }).end(body);
  } catch {
    fail(res, 404, "There is no such file.");
  }
}

/** Hands a request on; one without a body waits until the service is reachable again. */
async function proxy(req: IncomingMessage, res: ServerResponse, port: number): Promise<void> {
  const headers = { ...req.headers, "x-request-id": randomBytes(16).toString("hex") };
  const bare = req.method === "GET" || req.method === "HEAD";
  for (const until = performance.now() + WAIT_MS; ; await pause(100)) {
    const outgoing = request({ host: "127.0.0.1", port, method: req.method, path: req.url, headers });
    const answered = once(outgoing, "response") as Promise<[IncomingMessage]>;
    if (bare) outgoing.end();
    else req.pipe(outgoing);
    try {
      const [incoming] = await answered;
      res.writeHead(incoming.statusCode ?? 502, incoming.headers);
      incoming.pipe(res);
      incoming.on("error", () => res.destroy());
      return;
    } catch (error) {
      if (!bare || performance.now() > until || !("code" in (error as Error))) throw error;
    }
  }
}
