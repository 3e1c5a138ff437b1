import { sql } from "kysely";
import { z } from "zod";
import type { Connection } from "./database.ts";
import { resources, type Values } from "./resources.ts";
import { findRow, insertRow, missingReference, type Person } from "./rows.ts";
import { intake } from "./schema.ts";
import { type FieldError, fieldErrors, invalidFields } from "./validation.ts";

const parts = ["customer", "vehicle", "service"] as const;
type Part = (typeof parts)[number];

/** Validates the body of an intake. @throws {HttpProblem} 422 */
export function readIntake(body: unknown): Record<Part, Values> {
  const errors: FieldError[] = [];
  const outer = z.strictObject({ customer: z.unknown(), vehicle: z.unknown(), service: z.unknown() }).safeParse(body);
  if (!outer.success) errors.push(...fieldErrors(outer.error, body));
  const input = {} as Record<Part, Values>;
  for (const part of parts) {
    const given = typeof body === "object" && body !== null ? (body as Values)[part] : undefined;
    if (given === undefined && errors.some(({ pointer }) => ["", `/${part}`].includes(pointer))) continue;
    const schemas: { fresh: z.ZodObject; existing?: z.ZodObject } = intake[part];
    const chosen = typeof given === "object" && given !== null && "id" in given ? schemas.existing : undefined;
    const read = (chosen ?? schemas.fresh).safeParse(given);
    if (read.success) input[part] = read.data;
    else errors.push(...fieldErrors(read.error, given, `/${part}`));
  }
  if (errors.length > 0) throw invalidFields(errors);
  return input;
}

/** Creates (or finds) the customer and the vehicle, and creates the job. @throws {HttpProblem} 409 or 422 */
export async function createIntake(
  db: Connection,
  input: Record<Part, Values>,
  person: Person,
): Promise<Record<Part, Values>> {
  // Locked, so that no other transaction deletes them or changes the owner before the job refers to them. In the order in which a change
  // of a vehicle locks: its trigger locks the owner. Not for share: a new vehicle changes its customer's search_key, and two intakes of
  // one customer would then wait for each other.
  for (const part of ["vehicle", "customer"] as const)
    if ("id" in input[part])
      await sql`select from ${sql.table(`${part}s`)} where id = ${input[part].id} for no key update`.execute(db);
  const customer = await findOrCreate(db, "customer", input.customer, {}, person);
  const vehicle = await findOrCreate(db, "vehicle", input.vehicle, { customer_id: customer.id }, person);
  const job = { ...input.service, vehicle_id: vehicle.id };
  const service = await insertRow(db, resources.services, job, person, "/service");
  return { customer, vehicle, service };
}

async function findOrCreate(
  db: Connection,
  part: "customer" | "vehicle",
  given: Values,
  owner: Values,
  person: Person,
): Promise<Values> {
  const resource = resources[`${part}s`];
  if (!("id" in given)) return insertRow(db, resource, { ...given, ...owner }, person, `/${part}`);
  const row = await findRow(db, resource, Number(given.id));
  if (!row || (owner.customer_id && row.customer_id !== owner.customer_id))
    throw invalidFields([missingReference(`/${part}/id`)]);
  return row;
}
