import { type RawBuilder, sql } from "kysely";
import pg from "pg";
import type { Connection } from "./database.ts";
import { HttpProblem, wrongFields } from "./problems.ts";
import { type Derived, type Resource, resources, type Values } from "./resources.ts";

/** The versions that a change may meet; null: any. */
export type Versions = readonly number[] | null;

const table = (resource: Resource) => sql.table(resource.name);
const isVersion = (versions: Versions) => (versions ? sql`version = any(${versions}::integer[])` : sql`true`);

/** Reads one row as it is shown, or nothing. */
export async function findRow(db: Connection, resource: Resource, id: number): Promise<Values | undefined> {
  const { columns, joins } = resource;
  const { rows } = await sql<Values>`select ${columns} from ${table(resource)} t ${joins} where t.id = ${id}`.execute(
    db,
  );
  return rows[0];
}

export async function exists(db: Connection, resource: Resource, id: number): Promise<boolean> {
  return (await sql`select from ${table(resource)} where id = ${id}`.execute(db)).rows.length > 0;
}

/** @throws {HttpProblem} 409 or 422 that points to the field; `prefix` is the pointer of the values in the body */
export async function insertRow(db: Connection, resource: Resource, values: Values, prefix = ""): Promise<Values> {
  const all = expressions(values, resource.derive?.(values, "insert"));
  const columns = sql.join(Object.keys(all).map((column) => sql.ref(column)));
  const change = sql`insert into ${table(resource)} (${columns}) values (${sql.join(Object.values(all))})`;
  return (await changed(db, resource, change, prefix)) as Values;
}

/** @throws {HttpProblem} 404, 412, 409 or 422 */
export async function updateRow(
  db: Connection,
  resource: Resource,
  id: number,
  versions: Versions,
  values: Values,
): Promise<Values> {
  const all = {
    ...expressions(values, resource.derive?.(values, "update")),
    version: sql`version + 1`,
    updated_at: sql`now()`,
  };
  const sets = Object.entries(all).map(([column, value]) => sql`${sql.ref(column)} = ${value}`);
  const where = sql`id = ${id} and ${isVersion(versions)}`;
  const row = await changed(db, resource, sql`update ${table(resource)} set ${sql.join(sets)} where ${where}`);
  return row ?? refuse(db, resource, id);
}

/** @throws {HttpProblem} 404, 412, or 409 that says by what the row is referred to */
export async function deleteRow(db: Connection, resource: Resource, id: number, versions: Versions): Promise<void> {
  const where = sql`id = ${id} and ${isVersion(versions)}`;
  try {
    const { rows } = await sql`delete from ${table(resource)} where ${where} returning id`.execute(db);
    if (rows.length === 0) await refuse(db, resource, id);
  } catch (error) {
    const [by, column] = resource.referredBy ?? [];
    if (!(error instanceof pg.DatabaseError) || error.code !== "23503" || !by || !column) throw error;
    const counted = sql<{ n: number }>`select count(*) as n from ${sql.table(by)} where ${sql.ref(column)} = ${id}`;
    const n = (await counted.execute(db)).rows[0]?.n;
    const what = n === 1 ? resources[by].one : by;
    throw new HttpProblem(409, `This ${resource.one} still has ${n} ${what}.`, { references: { [by]: n } });
  }
}

const expressions = (values: Values, derived: Derived = {}) => ({
  ...Object.fromEntries(Object.entries(values).map(([column, value]) => [column, sql`${value}`])),
  ...derived,
});

/** Makes a change and reads the row back as it is shown, in one statement. */
async function changed(
  db: Connection,
  resource: Resource,
  change: RawBuilder<unknown>,
  prefix = "",
): Promise<Values | undefined> {
  const { columns, joins } = resource;
  try {
    const { rows } = await sql<Values>`with t as (${change} returning *) select ${columns} from t ${joins}`.execute(db);
    return rows[0];
  } catch (error) {
    const constraint = (error instanceof pg.DatabaseError && error.constraint) || "";
    const taken = resource.taken[constraint];
    const missing = resource.missing[constraint];
    if (taken) {
      const detail = `Another ${resource.one} has this ${taken}.`;
      throw new HttpProblem(409, detail, { errors: [{ pointer: `${prefix}/${taken}`, code: "taken", detail }] });
    }
    if (missing) throw wrongFields([notFound(`${prefix}/${missing}`)]);
    throw error;
  }
}

export const notFound = (pointer: string) =>
  ({ pointer, code: "not_found", detail: "There is nothing with this id." }) as const;

/** Nothing was changed: the row is not there, or it has another version. */
async function refuse(db: Connection, resource: Resource, id: number): Promise<never> {
  const found = sql<{ version: number }>`select version from ${table(resource)} where id = ${id}`;
  const [row] = (await found.execute(db)).rows;
  if (!row) throw nothing(resource, id);
  const detail = `This ${resource.one} was changed meanwhile: read it again, and repeat the change on that version.`;
  throw new HttpProblem(412, detail, { headers: { ETag: etag(row) } });
}

export const nothing = (resource: Resource, id: string | number): HttpProblem =>
  new HttpProblem(404, `There is no ${resource.one} ${id}.`);

export const etag = (row: Values): string => `"${row.version}"`;
