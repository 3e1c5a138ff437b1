import { type RawBuilder, sql } from "kysely";
import pg from "pg";
import type { Connection } from "./database.ts";
import { type Derived, type Resource, resources, type Values } from "./resources.ts";
import { HttpProblem, invalidFields } from "./validation.ts";

/** The versions on which a change may be applied; null: any. */
export type Versions = readonly number[] | null;

/** SQLSTATE of a number that its column cannot hold: only totals of lines are not bounded by the schema. */
const OUT_OF_RANGE = "22003";

const table = (resource: Resource) => sql.table(resource.name);
const isVersion = (versions: Versions) => (versions ? sql`version = any(${versions}::integer[])` : sql`true`);

/** Reads one row in its output form, or undefined. */
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

/** The person who changes a row, as the balancer knows the name; undefined without a login. */
export type Person = string | undefined;
type Action = "created" | "changed" | "deleted";

/**
 * The part of a statement that writes down who changed the rows of `t`, and which of the given fields have another value now; empty
 * without a person. A line is a change of its job.
 */
function logged(resource: Resource, action: Action, person: Person, given: Values = {}): RawBuilder<unknown> {
  if (person === undefined) return sql``;
  const shown = Object.entries(given).map(([name, value]) => [
    name,
    resource.openFields?.includes(name) ? value : true,
  ]);
  // This statement sees the table as it was before it.
  const differing = sql`t join ${table(resource)} before using (id) cross join lateral (
    select jsonb_object_agg(key, value) as fields from jsonb_each(${JSON.stringify(Object.fromEntries(shown))})
    where to_jsonb(t) -> key is distinct from to_jsonb(before) -> key) as given where fields is not null`;
  const [rows, fields] = action === "changed" ? [differing, sql`fields`] : [sql`t`, sql`'{}'::jsonb`];
  const entry =
    resource.name === "lines"
      ? sql`'services', t.service_id, 'changed', jsonb_build_object(${`line_${action}`}::text, t.name)`
      : sql`${resource.name}, t.id, ${action}, ${fields}`;
  return sql`, logged as (insert into changes (person, resource, row_id, action, fields) select ${person}, ${entry} from ${rows})`;
}

/** @throws {HttpProblem} 409 or 422 with a pointer to the field; `prefix` is the pointer of `values` in the body */
export async function insertRow(
  db: Connection,
  resource: Resource,
  values: Values,
  person: Person,
  prefix = "",
): Promise<Values> {
  const all = expressions(values, resource.derive?.(values, "insert"));
  const columns = sql.join(Object.keys(all).map((column) => sql.ref(column)));
  const condition = resource.unpaid?.(values, "insert") ?? sql`true`;
  const change = sql`insert into ${table(resource)} (${columns}) select ${sql.join(Object.values(all))} where ${condition}`;
  const row = await changed(db, resource, change, logged(resource, "created", person), prefix);
  if (row) return row;
  if (await exists(db, resources.services, Number(values.service_id))) throw paidProblem();
  throw invalidFields([missingReference(`${prefix}/service_id`)]);
}

/** @throws {HttpProblem} 404, 412, 409 or 422 */
export async function updateRow(
  db: Connection,
  resource: Resource,
  id: number,
  versions: Versions,
  values: Values,
  person: Person,
): Promise<Values> {
  const all = {
    ...expressions(values, resource.derive?.(values, "update")),
    version: sql`version + 1`,
    updated_at: sql`now()`,
  };
  const sets = Object.entries(all).map(([column, value]) => sql`${sql.ref(column)} = ${value}`);
  const where = sql`id = ${id} and ${isVersion(versions)} and ${resource.unpaid?.(values, "update") ?? sql`true`}`;
  const change = sql`update ${table(resource)} set ${sql.join(sets)} where ${where}`;
  const row = await changed(db, resource, change, logged(resource, "changed", person, values));
  return row ?? throwConflict(db, resource, id, versions);
}

/** @throws {HttpProblem} 404, 412, or 409 with the number of rows that refer to this one */
export async function deleteRow(
  db: Connection,
  resource: Resource,
  id: number,
  versions: Versions,
  person: Person,
): Promise<void> {
  const where = sql`id = ${id} and ${isVersion(versions)} and ${resource.unpaid?.({}, "delete") ?? sql`true`}`;
  try {
    const removal = sql`delete from ${table(resource)} where ${where} returning *`;
    const log = logged(resource, "deleted", person);
    const { rows } = await (person ? sql`with t as (${removal})${log} select t.id from t` : removal).execute(db);
    if (rows.length === 0) await throwConflict(db, resource, id, versions);
  } catch (error) {
    const [by, column] = resource.referencedBy ?? [];
    if (!(error instanceof pg.DatabaseError) || error.code !== "23503" || !by || !column) throw error;
    const counted = sql<{ n: number }>`select count(*) as n from ${sql.table(by)} where ${sql.ref(column)} = ${id}`;
    const n = (await counted.execute(db)).rows[0]?.n;
    const noun = n === 1 ? resources[by].singular : by;
    throw new HttpProblem(409, `This ${resource.singular} still has ${n} ${noun}.`, { references: { [by]: n } });
  }
}

const expressions = (values: Values, derived: Derived = {}) => ({
  ...Object.fromEntries(Object.entries(values).map(([column, value]) => [column, sql`${value}`])),
  ...derived,
});

/** Changes a row and reads it back in its output form, in one statement. */
async function changed(
  db: Connection,
  resource: Resource,
  change: RawBuilder<unknown>,
  log: RawBuilder<unknown>,
  prefix = "",
): Promise<Values | undefined> {
  const { columns, joins } = resource;
  try {
    const { rows } =
      await sql<Values>`with t as (${change} returning *)${log} select ${columns} from t ${joins}`.execute(db);
    return rows[0];
  } catch (error) {
    const constraint = (error instanceof pg.DatabaseError && error.constraint) || "";
    const taken = resource.uniqueConstraints[constraint];
    const missing = resource.foreignKeys[constraint];
    if (taken) {
      const detail = `Another ${resource.singular} has this ${taken}.`;
      throw new HttpProblem(409, detail, { errors: [{ pointer: `${prefix}/${taken}`, code: "taken", detail }] });
    }
    if (missing) throw invalidFields([missingReference(`${prefix}/${missing}`)]);
    if (error instanceof pg.DatabaseError && error.code === OUT_OF_RANGE) {
      const detail = "The total of the job would have more than 12 digits before the point.";
      throw invalidFields([{ pointer: `${prefix}/unit_price`, code: "range", detail }]);
    }
    throw error;
  }
}

export const missingReference = (pointer: string) =>
  ({ pointer, code: "not_found", detail: "No row has this id." }) as const;

/** After a change that matched no row: throws 404 if the row does not exist, 412 if it has another version, 409 if its job is paid. */
async function throwConflict(db: Connection, resource: Resource, id: number, versions: Versions): Promise<never> {
  const found = sql<{ version: number }>`select version from ${table(resource)} where id = ${id}`;
  const [row] = (await found.execute(db)).rows;
  if (!row) throw notFoundProblem(resource, id);
  if (resource.unpaid && (versions?.includes(row.version) ?? true)) throw paidProblem();
  const detail = `Another request has changed this ${resource.singular}. Read it again, then repeat the change on that version.`;
  throw new HttpProblem(412, detail, { headers: { ETag: etag(row) } });
}

function paidProblem(): HttpProblem {
  const detail =
    "This job is paid: its price and its lines stay, and it is not cancelled. Fix: take the payment back first (paid_at: null).";
  return new HttpProblem(409, detail, { errors: [{ code: "paid", detail }] });
}

export const notFoundProblem = (resource: Resource, id: string | number): HttpProblem =>
  new HttpProblem(404, `No ${resource.singular} has the id ${id}.`);

export const etag = (row: Values): string => `"${row.version}"`;
