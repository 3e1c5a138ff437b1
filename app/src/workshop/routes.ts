import { type ErrorRequestHandler, type Request, type RequestHandler, type Response, Router } from "express";
import type { z } from "zod";
import { JSON_TYPE, send, sendEmpty, sendJson } from "../headers.ts";
import { sendProblem } from "../problem.ts";
import { type Connection, type Database, DatabaseUnavailable } from "./database.ts";
import { ifMatch, ifNoneMatch, readJson } from "./http.ts";
import { type Created, withIdempotencyKey } from "./idempotency.ts";
import { createIntake, readIntake } from "./intake.ts";
import type { ListCache } from "./listCache.ts";
import { linksOf, readListRequest, readPage } from "./lists.ts";
import { type Nested, openApi } from "./openapi.ts";
import { REFERENCE_HEADERS, renderReference } from "./reference.ts";
import { changes, type Listed, type Resource, resources, type Values } from "./resources.ts";
import { readRevenue, readRevenueRequest } from "./revenue.ts";
import { deleteRow, etag, exists, findRow, insertRow, notFoundProblem, updateRow } from "./rows.ts";
import { fieldErrors, HttpProblem, invalidFields } from "./validation.ts";

/** The rows, and the lists of them in memory. */
export interface Stores {
  readonly database: Database;
  readonly cache: ListCache;
}

type Methods = Partial<Record<"get" | "post" | "put" | "patch" | "delete", RequestHandler>>;

/** Lists inside another resource: /customers/7/vehicles is the vehicles with customer_id=7. */
export const nested: readonly Nested[] = [
  [resources.customers, resources.vehicles, "customer_id"],
  [resources.customers, resources.services, "customer_id"],
  [resources.vehicles, resources.services, "vehicle_id"],
  [resources.services, resources.lines, "service_id"],
  [resources.customers, changes, "row"],
  [resources.vehicles, changes, "row"],
  [resources.services, changes, "row"],
];

/**
 * Everything under /api: the workshop's customers, vehicles, services and their lines.
 *
 * @param login whether nobody is answered but a person whose login the balancer has checked: no other site and no other port is a way
 *   around it
 */
export function workshopRoutes(stores: Stores, release: string, login: boolean): Router {
  const { database, cache } = stores;
  const router = Router();
  router.use((_req, res, next) => {
    if (!login || res.context.person !== undefined) next();
    else next(new HttpProblem(403, "The workshop has a login. Fix: open the workshop's own site, and log in there."));
  });
  const links = Object.fromEntries(Object.keys(resources).map((name) => [name, `/api/${name}`]));
  const route = (path: string, methods: Methods) => {
    const allow = Object.keys(methods).map((method) => method.toUpperCase());
    if (methods.get) allow.push("HEAD");
    const headers = { Allow: [...allow, "OPTIONS"].join(", ") };
    const entry = router.route(path);
    for (const [method, handler] of Object.entries(methods)) entry[method as keyof Methods](handler);
    entry.options((_req, res) => sendEmpty(res, 204, headers));
    entry.all((req, res) => sendProblem(req, res, 405, `${req.method} is not allowed for this path.`, headers));
  };

  for (const resource of Object.values(resources)) {
    route(`/${resource.name}`, {
      get: (req, res) => list(stores, resource, req, res),
      post: async (req, res) => {
        const input = check(resource.input, await readJson(req));
        await create(stores, resource.listedIn, req, res, true, input, async (db) => {
          const row = await insertRow(db, resource, input, res.context.person);
          return { location: `${path(req)}/${row.id}`, etag: etag(row), body: JSON.stringify(row) };
        });
      },
    });
    route(`/${resource.name}/:id`, {
      get: async (req, res) => {
        const id = idOf(req, resource);
        const row = await database.run((db) => findRow(db, resource, id));
        if (!row) throw notFoundProblem(resource, id);
        if (!resource.embeds && ifNoneMatch(req, row.version)) sendEmpty(res, 304, { ETag: etag(row) });
        else show(res, row);
      },
      put: (req, res) => change(stores, resource, resource.replacement ?? resource.input, req, res),
      patch: (req, res) => change(stores, resource, resource.patch, req, res),
      delete: async (req, res) => {
        const id = idOf(req, resource);
        const versions = ifMatch(req);
        const { person } = res.context;
        await cache.write(resource.listedIn, () => database.run((db) => deleteRow(db, resource, id, versions, person)));
        sendEmpty(res, 204);
      },
    });
  }
  for (const [parent, child, filter] of nested)
    route(`/${parent.name}/:id/${child.name}`, {
      get: (req, res) => list(stores, child, req, res, { parent, filter }),
    });
  route("/intake", {
    post: async (req, res) => {
      const input = readIntake(await readJson(req));
      await create(stores, Object.keys(resources), req, res, false, input, async (db) => {
        const made = await createIntake(db, input, res.context.person);
        const location = `${path(req).replace(/intake$/i, "services")}/${made.service.id}`;
        return { location, body: JSON.stringify(made) };
      });
    },
  });

  route("/revenue", {
    get: async (req, res) => {
      const request = readRevenueRequest(searchOf(req));
      sendJson(res, 200, await database.run((db) => readRevenue(db, request)));
    },
  });

  const openapi = openApi(nested, release);
  const reference = renderReference(openapi);
  route("/openapi.json", { get: (_req, res) => sendJson(res, 200, openapi) });
  route("/", {
    get: (req, res) => {
      const vary = { Vary: "Accept" };
      if (req.accepts(["json", "html"]) === "html")
        send(res, 200, reference, "text/html; charset=utf-8", { ...vary, ...REFERENCE_HEADERS });
      else sendJson(res, 200, { openapi: "/api/openapi.json", ...links }, vary);
    },
  });

  router.use(failed);
  return router;
}

async function list(
  { database, cache }: Stores,
  resource: Listed,
  req: Request,
  res: Response,
  within?: { parent: Resource; filter: string },
): Promise<void> {
  const id = within && idOf(req, within.parent);
  const request = readListRequest(
    resource,
    searchOf(req),
    within && { [within.filter]: resource === changes ? [within.parent.name, id] : id },
  );
  const select = async () => {
    const page = await database.run(async (db) => {
      const read = await readPage(db, resource, request);
      if (within && id && read.empty && !(await exists(db, within.parent, id)))
        throw notFoundProblem(within.parent, id);
      return read;
    });
    const { items, next, similar } = page;
    const body = `{"items":${items},"next":${JSON.stringify(next)}${similar ? ',"similar":true' : ""}}`;
    return { body, link: linksOf(path(req), request, next) };
  };
  // Almost every write changes the list of changes. The header is for a load that compares both ways.
  const direct = resource === changes || req.headers["x-halo-cache"] === "off";
  const { body, link, result } = direct
    ? { ...(await select()), result: "off" }
    : await cache.read(resource.name, `${path(req)}?${request.query}`, select);
  send(res, 200, body, JSON_TYPE, { Link: link, "X-Cache": result });
}

async function create(
  { database, cache }: Stores,
  lists: readonly string[],
  req: Request,
  res: Response,
  singleStatement: boolean,
  input: unknown,
  work: (db: Connection) => Promise<Created>,
): Promise<void> {
  const key = req.headers["idempotency-key"] as string | undefined;
  const created = await cache.write(lists, () =>
    withIdempotencyKey(database, key, singleStatement, [path(req), input], work),
  );
  send(res, 201, created.body, JSON_TYPE, {
    Location: created.location,
    ...(created.etag && { ETag: created.etag }),
    ...(created.replayed && { "Idempotency-Replayed": "true" }),
  });
}

async function change(
  { database, cache }: Stores,
  resource: Resource,
  schema: z.ZodObject,
  req: Request,
  res: Response,
): Promise<void> {
  const id = idOf(req, resource);
  const versions = ifMatch(req);
  const values = check(schema, await readJson(req));
  const { person } = res.context;
  const row = await cache.write(resource.listedIn, () =>
    database.run((db) => updateRow(db, resource, id, versions, values, person)),
  );
  show(res, row);
}

const show = (res: Response, row: Values) => sendJson(res, 200, row, { ETag: etag(row) });
const searchOf = (req: Request) => new URLSearchParams(req.originalUrl.split("?").slice(1).join("?"));
const path = (req: Request) => (req.baseUrl + req.path).replace(/\/$/, "");

function check(schema: z.ZodObject, body: unknown): Values {
  const read = schema.safeParse(body);
  if (!read.success) throw invalidFields(fieldErrors(read.error, body));
  return read.data;
}

function idOf(req: Request, resource: Resource): number {
  const text = String(req.params.id);
  if (!/^[1-9]\d{0,14}$/.test(text)) throw notFoundProblem(resource, text);
  return Number(text);
}

const failed: ErrorRequestHandler = (error, req, res, next) => {
  if (res.headersSent) next(error);
  else if (error instanceof HttpProblem) sendProblem(req, res, error.status, error.message, error.headers, error.extra);
  else if (error instanceof DatabaseUnavailable)
    sendProblem(req, res, 503, "The database is unavailable. Try again in a moment.", { "Retry-After": "1" });
  else next(error);
};
