import { type RawBuilder, sql } from "kysely";
import { z } from "zod";
import type { Connection } from "./database.ts";
import type { Listed, Values } from "./resources.ts";
import { query } from "./schema.ts";
import type { Branch, Condition } from "./search.ts";
import { HttpProblem, limitErrors, shortened } from "./validation.ts";

export const DEFAULT_LIMIT = 25;

/** A validated request for one page of a list. */
export interface ListRequest {
  readonly limit: number;
  readonly sort: string;
  readonly after?: readonly [key: string | number, id: number] | undefined;
  readonly q?: string | undefined;
  /** The given values by filter. */
  readonly filters: Record<string, unknown[]>;
  /** The query rebuilt from the validated values, for the links to other pages; its length is bounded. */
  readonly query: URLSearchParams;
}

/** The schemas of a list's query parameters, by their names. */
export function listParameters(resource: Listed): Record<string, z.ZodType> {
  return {
    limit: query.limit,
    sort: query.sort(Object.keys(resource.sorts)),
    after: query.after,
    ...(resource.search && { q: query.q }),
    ...Object.fromEntries(Object.entries(resource.filters).map(([name, { value }]) => [name, value])),
  };
}

/** An error of one parameter of a query. */
export interface ParameterError {
  readonly parameter: string;
  readonly code: string;
  readonly detail: string;
}

/** The values of a query by parameter, each read by its schema, and an error for each parameter that is not valid. */
export function readParameters(
  checks: Record<string, z.ZodType>,
  search: URLSearchParams,
  repeatable: (name: string) => boolean = () => false,
): { given: Record<string, unknown[]>; errors: ParameterError[] } {
  const given: Record<string, unknown[]> = {};
  const errors: ParameterError[] = [];
  const refuse = (parameter: string, code: string, detail: string) =>
    errors.push({ parameter: shortened(parameter), code, detail });

  for (const name of new Set(search.keys())) {
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined;
    const values = search.getAll(name);
    if (check === undefined) refuse(name, "unknown_parameter", "No such parameter exists here.");
    else if (values.length > 1 && !repeatable(name)) refuse(name, "repeated", "This parameter can be given only once.");
    else {
      const read = z.array(check).max(10).safeParse(values);
      if (read.success) given[name] = [...new Set(read.data)];
      else refuse(name, "format", read.error.issues[0]?.message ?? "");
    }
  }
  return { given, errors };
}

/** @throws {HttpProblem} 400 with an error for each invalid parameter */
export function readListRequest(resource: Listed, search: URLSearchParams, fixed: Values = {}): ListRequest {
  const checks = Object.fromEntries(Object.entries(listParameters(resource)).filter(([name]) => !(name in fixed)));
  const { given, errors } = readParameters(checks, search, (name) => resource.filters[name]?.repeatable ?? false);
  const sort = (given.sort?.[0] as string | undefined) ?? resource.defaultSort;
  const cursor = given.after?.[0] as string | undefined;
  const after = cursor === undefined || errors.length > 0 ? undefined : readCursor(resource, sort, cursor);
  if (after === null)
    errors.push({ parameter: "after", code: "format", detail: "Not a cursor of this list in this order." });
  if (errors.length > 0) throw new HttpProblem(400, "The query is invalid.", limitErrors(errors));

  const filters = Object.fromEntries(
    Object.keys(resource.filters).flatMap((name) => {
      const values = name in fixed ? [fixed[name]] : given[name];
      return values ? [[name, values]] : [];
    }),
  );
  return {
    limit: (given.limit?.[0] as number | undefined) ?? DEFAULT_LIMIT,
    sort,
    after: after ?? undefined,
    q: (given.q?.[0] as string | undefined) || undefined,
    filters,
    query: new URLSearchParams(
      Object.entries(given).flatMap(([name, values]) => values.map((value) => [name, String(value)])),
    ),
  };
}

/** The Link header of a page. It stays below 8 KiB for every request, because nginx takes a longer header for a failure. */
export function linksOf(path: string, { query }: ListRequest, next: string | null): string {
  const links = [...(next ? [["next", next]] : []), ["first"]].map(([rel = "", after]) => {
    const own = new URLSearchParams(query);
    own.delete("after");
    if (after) own.set("after", after);
    return `<${path}${own.size > 0 ? `?${own}` : ""}>; rel="${rel}"`;
  });
  return links.join(", ");
}

/**
 * The statement of a list. Each branch reads at most one page of keys and ids; then only the page's rows are fetched and
 * joined. One row more than the page shows that a next page exists.
 */
export function listStatement(
  resource: Listed,
  request: ListRequest,
  search: ((q: string) => Branch[] | undefined) | undefined = resource.search,
): RawBuilder<Values> {
  const descending = request.sort.startsWith("-");
  const field = request.sort.replace(/^-/, "");
  const key = sql.ref(`t.${resource.sorts[field]?.column}`);
  const byId = field === "id";
  const direction = sql.raw(descending ? "desc" : "asc");
  const beyond = sql.raw(descending ? "<" : ">");
  const limit = sql.lit(request.limit + 1); // in the text: a plan for any limit would cost more

  const common: Condition[] = [];
  let branches: Branch[] = [{ where: sql`true` }];
  // A text without a letter or digit matches no row: no index has it.
  if (request.q && search) branches = (/[\p{L}\p{N}]/u.test(request.q) && search(request.q)) || [{ where: sql`false` }];
  for (const [name, values] of Object.entries(request.filters)) {
    const { where } = resource.filters[name] as Listed["filters"][string];
    if (values.length === 1) common.push(where(values[0]));
    else branches = branches.flatMap((b) => values.map((v) => ({ ...b, where: sql`${b.where} and ${where(v)}` })));
  }
  if (request.after) {
    const [at, id] = request.after;
    common.push(byId ? sql`t.id ${beyond} ${id}` : sql`(${key}, t.id) ${beyond} (${at}, ${id})`);
  }

  const table = sql.table(resource.name);
  const order = byId ? sql`id ${direction}` : sql`key ${direction}, id ${direction}`;
  const pages = branches.map(({ where, sortAfterFilter }) => {
    const found = sql`select t.id, ${key} as key from ${table} t where ${sql.join([where, ...common], sql` and `)}`;
    // OFFSET 0 is an optimization fence: the sort must not change the plan of the filter.
    return sortAfterFilter
      ? sql`(select id, key from (${found} offset 0) as found order by ${order} limit ${limit})`
      : sql`(${found} order by ${order} limit ${limit})`;
  });
  const pageOrder = sql`page.key ${direction}, page.id ${direction}`;
  return sql`select ${resource.columns}, page.key as "key" from (
    select id, key from (${sql.join(pages, sql` union `)}) as pages order by ${order} limit ${limit}) as page
    join ${table} t on t.id = page.id ${resource.joins} order by ${pageOrder}`;
}

/**
 * Reads one page; `next` is the cursor of the next one, or null. A search without any match is repeated with one typing error
 * in each word; its page has `similar`.
 */
export async function readPage(
  db: Connection,
  resource: Listed,
  request: ListRequest,
): Promise<{ items: Values[]; next: string | null; similar?: true }> {
  const { rows } = await listStatement(resource, request).execute(db);
  if (rows.length === 0 && request.q && resource.similar?.(request.q)) {
    // A page after the last match is empty, too.
    const first = { ...request, limit: 1, after: undefined };
    if (!request.after || (await listStatement(resource, first).execute(db)).rows.length === 0) {
      const found = await listStatement(resource, request, resource.similar).execute(db);
      if (found.rows.length > 0) return { ...pageOf(found.rows, request), similar: true };
    }
  }
  return pageOf(rows, request);
}

function pageOf(rows: Values[], request: ListRequest): { items: Values[]; next: string | null } {
  const page = rows.slice(0, request.limit);
  const last = page.at(-1);
  const next = rows.length > page.length && last ? writeCursor(request.sort, last.key, last.id) : null;
  return { items: page.map(({ key: _, ...item }) => item), next };
}

const writeCursor = (sort: string, key: unknown, id: unknown): string =>
  Buffer.from(JSON.stringify([sort, key, id])).toString("base64url");

function readCursor(resource: Listed, sort: string, cursor: string): [string | number, number] | null {
  const { value } = resource.sorts[sort.replace(/^-/, "")] as Listed["sorts"][string];
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(cursor, "base64url"));
    const [, key, id] = z.tuple([z.literal(sort), value, query.id.out]).parse(JSON.parse(text));
    return [key, id as number];
  } catch {
    return null;
  }
}
