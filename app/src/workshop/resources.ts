import { type RawBuilder, sql } from "kysely";
import { z } from "zod";
import * as schema from "./schema.ts";
import {
  type Condition,
  hidden,
  type Search,
  searchCustomers,
  searchVehicles,
  similarCustomers,
  similarVehicles,
} from "./search.ts";

/** Rows that can be listed; `t` is their table in every fragment. */
export interface Listed {
  readonly name: string;
  readonly singular: string;
  readonly output: z.ZodObject;
  readonly columns: RawBuilder<unknown>;
  readonly joins: RawBuilder<unknown>;
  /** Columns to sort by, each with the schema of its value in a cursor. */
  readonly sorts: Record<string, { readonly column: string; readonly value: z.ZodType<string | number> }>;
  readonly defaultSort: string;
  readonly filters: Record<string, Filter>;
  readonly search?: Search;
  /** The branches for a text without a match; undefined where a typing error is not likely. */
  readonly similar?: Search;
  /** Describes the matches of `q`, for the OpenAPI document. */
  readonly searchHelp?: string;
}

/** The source of the routes, the OpenAPI document and the queries. */
export interface Resource extends Listed {
  readonly name: "customers" | "vehicles" | "services" | "lines";
  readonly singular: "customer" | "vehicle" | "service" | "line";
  readonly input: z.ZodObject;
  /** The body of a PUT, where it is not that of a POST. */
  readonly replacement?: z.ZodObject;
  readonly patch: z.ZodObject;
  /** Whether its output has fields of other rows: its version does not change with them. */
  readonly embeds: boolean;
  /** Further values to write, derived from the given ones. */
  readonly derive?: (given: Values, current: "insert" | "update") => Derived;
  /** A condition on a change besides the version: a paid job keeps its price and its lines, and is not cancelled. */
  readonly unpaid?: (given: Values, change: "insert" | "update" | "delete") => Condition | undefined;
  /** Fields whose values are no personal data: the list of changes has them. */
  readonly openFields?: readonly string[];
  /** Fields by the constraint that they can violate: a value that another row has (409), a row that does not exist (422). */
  readonly uniqueConstraints: Record<string, string>;
  readonly foreignKeys: Record<string, string>;
  /** The lists that a write to it can change: each list that shows, searches or sorts by its rows, or is inside of one of them. */
  readonly listedIn: readonly Resource["name"][];
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
/** A column with a time in the form of the API; the sessions use UTC. */
const instantText = (column: string) =>
  sql`to_char(${sql.ref(`t.${column}`)}, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as ${sql.ref(column)}`;
const times = sql`${instantText("created_at")}, ${instantText("updated_at")}`;
const createdAt = { column: "created_at", value: schema.instant };
const customerOf = sql`json_build_object('id', c.id, 'name', c.name, 'phone', c.phone) as customer`;
const references = (column: string): Filter => ({
  value: schema.query.id,
  where: (value) => sql`${sql.ref(column)} = ${hidden(value, "bigint")}`,
});

const customers: Resource = {
  name: "customers",
  singular: "customer",
  input: schema.CustomerInput,
  patch: schema.CustomerPatch,
  output: schema.Customer,
  embeds: false,
  columns: sql`t.id, t.version, t.name, t.phone, t.email, t.address, ${times}`,
  joins: sql``,
  sorts: { id, name: { column: "name_key", value: schema.query.key }, created_at: createdAt },
  defaultSort: "name",
  filters: {},
  searchHelp:
    "A word is part of the name, of the phone number's digits, of the e-mail address, or of plate, make or model of one of the customer's vehicles. A number that begins with 0 or 62, with at least five digits after that, is the beginning of a phone number. A text of one word without a digit or sign finds an e-mail address only if nothing else has the word; `similar` is then true.",
  search: searchCustomers,
  similar: similarCustomers,
  uniqueConstraints: {},
  foreignKeys: {},
  listedIn: ["customers", "vehicles", "services"],
  referencedBy: ["vehicles", "customer_id"],
};

const vehicles: Resource = {
  name: "vehicles",
  singular: "vehicle",
  input: schema.VehicleInput,
  patch: schema.VehiclePatch,
  output: schema.Vehicle,
  embeds: true,
  columns: sql`t.id, t.version, t.customer_id, t.plate, t.make, t.model, t.year, t.vin, ${times}, ${customerOf}`,
  joins: sql`join customers c on c.id = t.customer_id`,
  sorts: { id, plate: { column: "plate_key", value: schema.query.key }, created_at: createdAt },
  defaultSort: "plate",
  filters: { customer_id: references("t.customer_id") },
  searchHelp: "A word is part of the plate, make or model.",
  search: searchVehicles,
  similar: similarVehicles,
  uniqueConstraints: { vehicles_plate: "plate", vehicles_vin: "vin" },
  foreignKeys: { vehicles_customer_id: "customer_id" },
  listedIn: ["customers", "vehicles", "services"],
  referencedBy: ["services", "vehicle_id"],
};

const services: Resource = {
  name: "services",
  singular: "service",
  input: schema.ServiceInput,
  replacement: schema.ServiceReplacement,
  patch: schema.ServicePatch,
  output: schema.Service,
  embeds: true,
  columns: sql`t.id, t.version, t.vehicle_id, t.kind, t.description, t.status, t.price::text, ${instantText("scheduled_at")},
    ${instantText("completed_at")}, t.notes, ${instantText("paid_at")}, t.mechanic, t.odometer, ${instantText("remind_at")}, t.line_count, ${times},
    json_build_object('id', v.id, 'plate', v.plate, 'make', v.make, 'model', v.model) as vehicle, ${customerOf}`,
  joins: sql`join vehicles v on v.id = t.vehicle_id join customers c on c.id = v.customer_id`,
  derive(given, current): Derived {
    if (!("status" in given || "completed_at" in given)) return {};
    const kept = (column: string, type: string) =>
      column in given || current === "insert" ? sql`${given[column]}::${sql.raw(type)}` : sql.ref(column);
    const completed = sql`coalesce(${kept("completed_at", "timestamptz")}, now())`;
    return { completed_at: sql`case when ${kept("status", "text")} = 'done' then ${completed} end` };
  },
  // Not by a trigger: the release before, which knows no payment, would get its refusal as a failure.
  unpaid(given, change) {
    if (change !== "update" || given.paid_at === null) return undefined;
    const kept = [
      "price" in given && sql`price = ${given.price}`,
      given.status === "cancelled" && sql`status = 'cancelled'`,
    ];
    return sql`(paid_at is null or ${sql.join([sql`true`, ...kept.filter((each) => each !== false)], sql` and `)})`;
  },
  sorts: { id, scheduled_at: { column: "scheduled_at", value: schema.instant }, created_at: createdAt },
  defaultSort: "-scheduled_at",
  filters: {
    vehicle_id: references("t.vehicle_id"),
    customer_id: {
      value: schema.query.id,
      where: (value) => sql`t.vehicle_id in (select id from vehicles where customer_id = ${hidden(value, "bigint")})`,
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
    completed_from: {
      value: schema.instant,
      where: (value) => sql`t.completed_at >= ${value}`,
      about: "Completed at this time or later.",
    },
    remind_before: {
      value: schema.instant,
      // A newer job of the vehicle has made the reminder needless.
      where: (value) => sql`t.remind_at < ${value} and not exists (select from services newer
        where newer.vehicle_id = t.vehicle_id and newer.scheduled_at > t.scheduled_at and newer.status <> 'cancelled')`,
      about: "The customer is to be reminded before this time, and the vehicle has no newer job.",
    },
  },
  openFields: ["status", "price", "paid_at"],
  uniqueConstraints: {},
  foreignKeys: { services_vehicle_id: "vehicle_id" },
  listedIn: ["services", "lines"],
};

const lines: Resource = {
  name: "lines",
  singular: "line",
  input: schema.LineInput,
  replacement: schema.LineReplacement,
  patch: schema.LinePatch,
  output: schema.Line,
  embeds: false,
  columns: sql`t.id, t.version, t.service_id, t.type, t.name, t.quantity::text, t.unit_price::text, t.total::text, ${times}`,
  joins: sql``,
  // Locked: the job could be paid between the condition and the trigger that changes its price.
  unpaid: (given, change) => sql`exists (select from services
    where id = ${change === "insert" ? given.service_id : sql`service_id`} and paid_at is null for no key update)`,
  sorts: { id },
  defaultSort: "id",
  filters: { service_id: references("t.service_id") },
  uniqueConstraints: {},
  foreignKeys: { lines_service_id: "service_id" },
  listedIn: ["services", "lines"],
};

/** The changes of a row and their authors, the newest first; the list is inside of the row's own address. */
export const changes: Listed = {
  name: "changes",
  singular: "change",
  output: schema.Change,
  columns: sql`t.id, ${instantText("at")}, t.person, t.action, t.fields`,
  joins: sql``,
  sorts: { id },
  defaultSort: "-id",
  filters: {
    row: {
      value: z.never(),
      where: (row) => {
        const [resource, rowId] = row as [name: string, id: number];
        return sql`t.resource = ${resource} and t.row_id = ${rowId}`;
      },
    },
  },
};

export const resources = { customers, vehicles, services, lines };
