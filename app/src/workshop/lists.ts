import { type RawBuilder, sql } from "kysely";
import { z } from "zod";
import type { Connection } from "./database.ts";
import type { Listed, Values } from "./resources.ts";
import { query } from "./schema.ts";
import type { Branch, Condition, Search } from "./search.ts";
import { describeIssue, HttpProblem, limitErrors, shortened } from "./validation.ts";

export const DEFAULT_LIMIT = 25;
/** The rows of a {@link Branch.scanFirst}: they take 0.5 ms, and of a word that one row in 50 has, they fill a page of 25. */
const SCANNED = 2000;

/** The most values of a parameter that can be repeated. */
export const MAX_VALUES = 10;

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

const parameters = new Map<Listed, Record<string, z.ZodType>>();

/** The schemas of a list's query parameters, by their names; made once, because it takes longer than to read a query. */
export function listParameters(resource: Listed): Record<string, z.ZodType> {
  const made = parameters.get(resource);
  if (made) return made;
  const fresh = {
    limit: query.limit,
    sort: query.sort(Object.keys(resource.sorts)),
    after: query.after,
    ...(resource.search && { q: query.q }),
    ...Object.fromEntries(Object.entries(resource.filters).map(([name, { value }]) => [name, value])),
  };
  parameters.set(resource, fresh);
  return fresh;
}

/** The field of a sort such as -name. */
const fieldOf = (sort: string) => sort.replace(/^-/, "");

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
      const read = z.array(check).max(MAX_VALUES).safeParse(values);
      if (read.success) given[name] = [...new Set(read.data)];
      else {
        // The last one: an integer that is too large is first above JavaScript's own bound.
        const issue = read.error.issues.at(-1) as z.core.$ZodIssue;
        const { code, detail } = describeIssue(issue, issue.path.length === 0 ? values : values[Number(issue.path[0])]);
        refuse(name, code, detail);
      }
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

/** A page as PostgreSQL gives it: the JSON of its rows, or null without any, and its last row's place where a next page exists. */
interface Read {
  readonly items: string | null;
  readonly more: boolean;
  readonly key: unknown;
  readonly id: number | null;
}

/**
 * The statement of a list. Each branch reads at most one page of keys and ids; then only the page's rows are fetched and
 * joined. One row more than the page shows that a next page exists. PostgreSQL makes the JSON: for the service, to read each value and
 * to write it again would be most of its work for a list.
 */
export function listStatement(
  resource: Listed,
  request: ListRequest,
  search: Search | undefined = resource.search,
): RawBuilder<Read> {
  const descending = request.sort.startsWith("-");
  const field = fieldOf(request.sort);
  const key = sql.ref(`t.${resource.sorts[field]?.column}`);
  const byId = field === "id";
  const direction = sql.raw(descending ? "desc" : "asc");
  const beyond = sql.raw(descending ? "<" : ">");
  const limit = sql.lit(request.limit + 1); // in the text: a plan for any limit would cost more

  const common: Condition[] = [];
  let branches: Branch[] = [{ where: sql`true` }];
  // A text without a letter or digit matches no row: no index has it.
  if (request.q && search)
    branches = (/[\p{L}\p{N}]/u.test(request.q) && search(request.q, field)) || [{ where: sql`false` }];
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
  const pages = branches.map(({ where, sortAfterFilter, scanFirst }) => {
    const rows = sql`select t.id, ${key} as key from ${table} t where ${sql.join([where, ...common], sql` and `)}`;
    const page = sql`order by ${order} limit ${limit}`;
    if (!sortAfterFilter) return sql`(${rows} ${page})`;
    // OFFSET 0 is an optimization fence: the sort must not change the plan of the filter.
    const found = sql`select id, key from (${rows} offset 0) as found`;
    if (!scanFirst) return sql`(${found} ${page})`;
    const first = sql`select t.id, ${key} as key, ${where} as found from ${table} t
      where ${sql.join([sql`true`, ...common], sql` and `)} order by ${order} limit ${sql.lit(SCANNED)}`;
    const full = sql`(select count(*) from scanned) = ${limit}`;
    return sql`(with scanned as materialized (select id, key from (${first}) as first where found ${page})
      select id, key from scanned where ${full} union all (${found} where not ${full} ${page}))`;
  });
  const shown = sql.lit(request.limit);
  return sql`select json_agg(item order by place) filter (where place <= ${shown})::text as items, count(*) > ${shown} as more,
    max(page.key) filter (where place = ${shown}) as key, max(page.id) filter (where place = ${shown}) as id
    from (select id, key, row_number() over (order by ${order}) as place
      from (${sql.join(pages, sql` union `)}) as pages order by ${order} limit ${limit}) as page
    join ${table} t on t.id = page.id ${resource.joins} cross join lateral (select ${resource.columns}) as item`;
}

/** One page: the JSON of its rows, and the cursor of the next page, or null. */
export interface Page {
  readonly items: string;
  readonly empty: boolean;
  readonly next: string | null;
  readonly similar?: true;
}

/**
 * Reads one page. A search without any match is repeated with one typing error in each word; its page has `similar`.
 */
export async function readPage(db: Connection, resource: Listed, request: ListRequest): Promise<Page> {
  const select = async (asked: ListRequest, search: Search | undefined = resource.search): Promise<Page> => {
    const { rows } = await listStatement(resource, asked, search).execute(db);
    const { items, more, key, id } = rows[0] as Read;
    return { items: items ?? "[]", empty: items === null, next: more ? writeCursor(asked.sort, key, id) : null };
  };
  const page = await select(request);
  if (page.empty && request.q && resource.similar?.(request.q, fieldOf(request.sort))) {
    // A page after the last match is empty, too.
    if (!request.after || (await select({ ...request, limit: 1, after: undefined })).empty) {
      const found = await select(request, resource.similar);
      if (!found.empty) return { ...found, similar: true };
    }
  }
  return page;
}

const writeCursor = (sort: string, key: unknown, id: unknown): string =>
  Buffer.from(JSON.stringify([sort, key, id])).toString("base64url");

function readCursor(resource: Listed, sort: string, cursor: string): [string | number, number] | null {
  const { value } = resource.sorts[fieldOf(sort)] as Listed["sorts"][string];
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(cursor, "base64url"));
    const [, key, id] = z.tuple([z.literal(sort), value, query.id.out]).parse(JSON.parse(text));
    return [key, id as number];
  } catch {
    return null;
  }
}
