// The service's GET / with Fastify in Express' place, for programs: the same function of Redis, headers, metrics and log, from the release in
// service. Arguments: the address, the port, the release's folder.
import { createServer, type RequestListener, type ServerResponse } from "node:http";
import Fastify from "fastify";

const [address = "", port = "", release = ""] = process.argv.slice(2);
const name = "fastify";
const load = <Module>(file: string): Promise<Module> => import(`${release}/app/src/${file}`);

async function listen(): Promise<void> {
  const { readConfig } = await load<typeof import("../../app/src/config.ts")>("config.ts");
  const { Lifecycle } = await load<typeof import("../../app/src/lifecycle/lifecycle.ts")>("lifecycle/lifecycle.ts");
  const { Metrics } = await load<typeof import("../../app/src/metrics/metrics.ts")>("metrics/metrics.ts");
  const { readRelease } = await load<typeof import("../../app/src/release.ts")>("release.ts");
  const { attachContext } = await load<typeof import("../../app/src/requestContext.ts")>("requestContext.ts");
  const { createLog, createRequestLog } = await load<typeof import("../../app/src/requestLog.ts")>("requestLog.ts");
  const { commonHeaders, JSON_TYPE } = await load<typeof import("../../app/src/headers.ts")>("headers.ts");
  const { connectRedis } = await load<typeof import("../../app/src/visits/redis.ts")>("visits/redis.ts");
  const { VisitStore } = await load<typeof import("../../app/src/visits/store.ts")>("visits/store.ts");
  const words = await load<typeof import("../../app/src/visits/contract.ts")>("visits/contract.ts");

  const config = readConfig(process.env);
  const origin = { servedBy: name, release: readRelease() };
  const metrics = new Metrics(origin.release);
  const store = new VisitStore(connectRedis(config), metrics.redis);
  const lifecycle = new Lifecycle();
  const logRequest = createRequestLog(createLog(config.LOG_LEVEL), config.LOG_REQUESTS_PER_SECOND);
  const onClose = function (this: ServerResponse) {
    const ms = performance.now() - this.context.startedAt;
    metrics.requests.end(this, ms);
    logRequest(this, ms);
  };

  // As app.ts has it, with Fastify's handler behind it.
  const listener =
    (handle: RequestListener): RequestListener =>
    (req, res) => {
      const startedAt = performance.now();
      if (lifecycle.isStale(startedAt)) return void req.socket.destroy();
      metrics.requests.begin();
      attachContext(req, res, origin, startedAt, (peer) => config.TRUSTED_PROXIES.includes(peer));
      lifecycle.prepare(req, res);
      res.on("close", onClose);
      handle(req, res);
    };
  const server = Fastify({ serverFactory: (handle) => createServer({ keepAliveTimeout: 75_000 }, listener(handle)) });

  const fixed: Record<string, string> = { "Content-Type": JSON_TYPE, Vary: "Accept" };
  const headers = commonHeaders(origin);
  for (let i = 0; i < headers.length; i += 2) fixed[String(headers[i])] = String(headers[i + 1]);
  const body = {
    container_id: name,
    message: words.MESSAGE,
    database_status: words.CONNECTED,
    info: words.INFO,
    total_visits: 0,
  };
  const prefix = JSON.stringify(body).slice(0, -2);
  server.get("/", (_, reply) => {
    const { id } = reply.raw.context;
    store.count(id).then(
      (total) => reply.headers(fixed).header("X-Request-Id", id).send(`${prefix}${total}}`),
      (error) => reply.code(503).send(error),
    );
  });
  await server.listen({ host: address, port: Number(port) });
}

void listen();
