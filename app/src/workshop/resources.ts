import { type RawBuilder, sql } from "kysely";
import type { z } from "zod";
import * as schema from "./schema.ts";

export type Condition = RawBuilder<boolean>;

/**
 * One way in which a row can match a search. A list is the UNION of its branches; each branch uses one index.
 * `sortAfterFilter`: collect all matches first, then sort them. Use it when matches are neighbours in the sort order
 * (all customers named "Wayan"): scanning the sort index would read almost the whole table before it fills one page.
 */
export interface Branch {
  readonly where: Condition;
  readonly sortAfterFilter?: boolean;
}

/** The source of the routes, the OpenAPI document and the queries; `t` is the resource's table in every fragment. */
export interface Resource {
  readonly name: "customers" | "vehicles" | "services";
  readonly singular: "customer" | "vehicle" | "service";
  readonly input: z.ZodObject;
  readonly patch: z.ZodObject;
  readonly output: z.ZodObject;
  /** Whether its output has fields of other rows: its version does not change with them. */
  readonly embeds: boolean;
  readonly columns: RawBuilder<unknown>;
  readonly joins: RawBuilder<unknown>;
  /** Further values to write, derived from the given ones. */
  readonly derive?: (given: Values, current: "insert" | "update") => Derived;
  /** Columns to sort by, each with the schema of its value in a cursor. */
  readonly sorts: Record<string, { readonly column: string; readonly value: z.ZodType<string | number> }>;
  readonly defaultSort: string;
  readonly filters: Record<string, Filter>;
  readonly search?: (q: string) => Branch[];
  /** Describes the matches of `q`, for the OpenAPI document. */
  readonly searchHelp?: string;
  /** Fields by the constraint that they can violate: a value that another row has (409), a row that does not exist (422). */
  readonly uniqueConstraints: Record<string, string>;
  readonly foreignKeys: Record<string, string>;
  /** The table and column that can refer to a row of this resource. */
  readonly referencedBy?: readonly [table: "vehicles" | "services", column: string];
}

export type Derived = Record<string, RawBuilder<unknown>>;
export type Values = Record<string, unknown>;

export interface Filter {
  readonly value: z.ZodType;
  readonly where: (value: unknown) => Condition;
  /** Can be given several times: a row with any of the values is in the list. */
  readonly repeatable?: boolean;
  readonly about?: string;
}

const id = { column: "id", value: schema.query.id.out };
const createdAt = { column: "created_at", value: schema.instant };
const customerOf = sql`json_build_object('id', c.id, 'name', c.name, 'phone', c.phone) as customer`;
const references = (column: string): Filter => ({
  value: schema.query.id,
  where: (value) => sql`${sql.ref(column)} = ${value}`,
});

const customers: Resource = {
  name: "customers",
  singular: "customer",
  input: schema.CustomerInput,
  patch: schema.CustomerPatch,
  output: schema.Customer,
  embeds: false,
  columns: sql`t.id, t.version, t.name, t.phone, t.email, t.address, t.created_at, t.updated_at`,
  joins: sql``,
  sorts: { id, name: { column: "name_key", value: schema.query.key }, created_at: createdAt },
  defaultSort: "name",
  filters: {},
  searchHelp:
    "Matches part of the name, part of the phone number's digits, or the beginning of the plate of one of the customer's vehicles.",
  search(q) {
    const branches = partOf("name_key", q, true);
    // The same number can be stored as 0812... or +62812...
    const digits = /^[\d +().-]+$/.test(q) ? q.replace(/\D/g, "").replace(/^(?:0|62)(?=\d{5})/, "") : "";
    if (digits) branches.push({ where: sql`t.phone_digits like ${`%${digits}%`}` });
    const plate = plateKey(q);
    if (plate) {
      const vehicle = sql`select from vehicles v where v.customer_id = t.id and v.plate_key like ${`${plate}%`}`;
      // From three characters on few customers match: a scan of the names would read most of them to fill one page.
      branches.push({ where: sql`exists (${vehicle})`, sortAfterFilter: plate.length > 2 });
    }
    return branches;
  },
  uniqueConstraints: {},
  foreignKeys: {},
  referencedBy: ["vehicles", "customer_id"],
};

const vehicles: Resource = {
  name: "vehicles",
  singular: "vehicle",
  input: schema.VehicleInput,
  patch: schema.VehiclePatch,
  output: schema.Vehicle,
  embeds: true,
  columns: sql`t.id, t.version, t.customer_id, t.plate, t.make, t.model, t.year, t.vin, t.created_at, t.updated_at, ${customerOf}`,
  joins: sql`join customers c on c.id = t.customer_id`,
  sorts: { id, plate: { column: "plate_key", value: schema.query.key }, created_at: createdAt },
  defaultSort: "plate",
  filters: { customer_id: references("t.customer_id") },
  searchHelp: "Matches the beginning of the plate, or part of make and model.",
  search(q) {
    const plate = plateKey(q);
    return [
      ...partOf("model_key", q, false),
      ...(plate ? [{ where: sql<boolean>`t.plate_key like ${`${plate}%`}` }] : []),
    ];
  },
  uniqueConstraints: { vehicles_plate: "plate", vehicles_vin: "vin" },
  foreignKeys: { vehicles_customer_id: "customer_id" },
  referencedBy: ["services", "vehicle_id"],
};

const services: Resource = {
  name: "services",
  singular: "service",
  input: schema.ServiceInput,
  patch: schema.ServicePatch,
  output: schema.Service,
  embeds: true,
  columns: sql`t.id, t.version, t.vehicle_id, t.kind, t.description, t.status, t.price, t.scheduled_at, t.completed_at, t.notes,
    t.created_at, t.updated_at,
    json_build_object('id', v.id, 'plate', v.plate, 'make', v.make, 'model', v.model) as vehicle, ${customerOf}`,
  joins: sql`join vehicles v on v.id = t.vehicle_id join customers c on c.id = v.customer_id`,
  derive(given, current): Derived {
    if (!("status" in given || "completed_at" in given)) return {};
    const kept = (column: string, type: string) =>
      column in given || current === "insert" ? sql`${given[column]}::${sql.raw(type)}` : sql.ref(column);
    const completed = sql`coalesce(${kept("completed_at", "timestamptz")}, now())`;
    return { completed_at: sql`case when ${kept("status", "text")} = 'done' then ${completed} end` };
  },
  sorts: { id, scheduled_at: { column: "scheduled_at", value: schema.instant }, created_at: createdAt },
  defaultSort: "-scheduled_at",
  filters: {
    vehicle_id: references("t.vehicle_id"),
    customer_id: {
      value: schema.query.id,
      where: (value) => sql`t.vehicle_id in (select id from vehicles where customer_id = ${value})`,
    },
    status: { value: schema.query.status, where: (value) => sql`t.status = ${value}`, repeatable: true },
    from: {
      value: schema.instant,
      where: (value) => sql`t.scheduled_at >= ${value}`,
      about: "Scheduled at this time or later.",
    },
    to: {
      value: schema.instant,
      where: (value) => sql`t.scheduled_at < ${value}`,
      about: "Scheduled before this time.",
    },
  },
  uniqueConstraints: {},
  foreignKeys: { services_vehicle_id: "vehicle_id" },
};

export const resources = { customers, vehicles, services };

const literally = (text: string) => text.toLowerCase().replace(/[\\%_]/g, "\\$&");
const plateKey = (q: string) => q.toUpperCase().replace(/[^A-Z0-9]/g, "");

/**
 * The branches of rows that contain `q` in a lower-case column. A text without three letters or digits in a row must be at the
 * beginning of a word: a trigram index cannot select such a short text.
 *
 * @param ordered whether lists can be sorted by the column; otherwise the column has a space before its first word
 */
function partOf(column: string, q: string, ordered: boolean): Branch[] {
  const like = (pattern: string) => sql<boolean>`${sql.ref(`t.${column}`)} like ${pattern}`;
  if (/[\p{L}\p{N}]{3}/u.test(q)) return [{ where: like(`%${literally(q)}%`), sortAfterFilter: ordered }];
  const words = { where: like(`% ${literally(q)}%`) };
  return ordered ? [{ where: like(`${literally(q)}%`) }, words] : [words];
}
