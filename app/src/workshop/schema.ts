import { z } from "zod";

// biome-ignore-start lint/suspicious/noControlCharactersInRegex: PostgreSQL cannot store NUL
const PLAIN = /^[^\u0000]*$/;
const NOT_BLANK = /^\s*[^\s\u0000][^\u0000]*$/;
// biome-ignore-end lint/suspicious/noControlCharactersInRegex: PostgreSQL cannot store NUL
const NOT_TEXT = "No NUL and no half of a surrogate pair.";

/** A trimmed text in NFC. Lengths count code points, as JSON Schema and PostgreSQL do; zod's own bounds count UTF-16 units. */
function text(max: number, min = 1, pattern = NOT_BLANK, expected = NOT_TEXT) {
  return z
    .string()
    .overwrite((value) => value.normalize("NFC").trim())
    .check(({ value, issues }) => {
      const length = [...value].length;
      if (length > max) issues.push({ code: "too_big", origin: "string", maximum: max, input: value });
      if (!value.isWellFormed())
        issues.push({ code: "invalid_format", format: "unicode", message: NOT_TEXT, input: value });
      if (length < min) issues.push({ code: "too_small", origin: "string", minimum: min, input: value });
    })
    .regex(pattern, expected)
    .meta({ minLength: min, maxLength: max });
}

const id = z.int().min(1);
const version = z.int().min(1).meta({ description: "Increases with each change; the ETag is this number in quotes." });

// One single pattern: a generator that reads the document then needs no intersection.
const INSTANT = new RegExp(`^(?=19|20)${z.regexes.datetime({ offset: true }).source.slice(1)}`);
const INSTANT_EXPECTED =
  "An ISO 8601 time with its offset, from 1900 to 2099 in UTC; for example 2026-11-21T10:00:00Z.";
/** A time with its offset, from 1900 to 2099 in UTC; stored in UTC with milliseconds. */
export const instant = z
  .string()
  .regex(INSTANT, INSTANT_EXPECTED)
  .overwrite((value) => (Number.isNaN(Date.parse(value)) ? value : new Date(value).toISOString()))
  .refine((value) => /^(?:19|20)/.test(value), INSTANT_EXPECTED)
  .meta({ format: "date-time" });

const nextYear = () => new Date().getUTCFullYear() + 1;

const customer = {
  name: text(200),
  phone: text(32, 5, /^[ +().-]*(?:[0-9][ +().-]*){5,}$/, "At least 5 digits; otherwise only spaces and + - ( ) ."),
  email: text(254, 1, z.regexes.html5Email, "An email address.").nullable(),
  address: text(500).nullable(),
};
const vehicle = {
  customer_id: id,
  plate: text(15, 1, /^[A-Za-z0-9][A-Za-z0-9 .-]*$/, "Letters, digits, spaces, dots and hyphens.").overwrite((value) =>
    value.toUpperCase().replace(/ +/g, " "),
  ),
  make: text(60),
  model: text(60),
  // Not .max(): the limit must follow the year without a restart.
  year: z
    .int()
    .min(1900)
    .check(({ value, issues }) => {
      if (value > nextYear()) issues.push({ code: "too_big", origin: "number", maximum: nextYear(), input: value });
    })
    .meta({ maximum: nextYear() }),
  vin: text(17, 17, /^[A-HJ-NPR-Za-hj-npr-z0-9]{17}$/, "17 letters and digits without I, O and Q.")
    .overwrite((value) => value.toUpperCase())
    .nullable(),
};
const rupiah = z
  .string()
  .regex(/^\d{1,12}(?:\.\d{1,2})?$/, "Rupiah as a decimal in a string, for example 150000 or 150000.50.")
  .meta({ description: "Rupiah, an exact decimal; responses have two digits after the point." });
const service = {
  vehicle_id: id,
  kind: text(80),
  description: text(2000).nullable(),
  status: z.enum(["scheduled", "in_progress", "done", "cancelled"]),
  price: rupiah.meta({
    description:
      "Rupiah, an exact decimal; responses have two digits after the point. The price of a job with lines is their total; a price that is sent for it counts after its last line is gone.",
  }),
  scheduled_at: instant,
  completed_at: instant
    .nullable()
    .meta({ description: "With the status done and without a value: the present time. With any other status: null." }),
  notes: text(4000).nullable(),
  paid_at: instant.nullable().meta({ description: "Null while the job is not paid." }),
  mechanic: text(80).nullable(),
  odometer: z.int().min(0).max(9_999_999).nullable().meta({ description: "Kilometres at the time of the job." }),
  remind_at: instant.nullable().meta({ description: "The time to remind the customer of the next service." }),
};
const line = {
  type: z.enum(["part", "labour"]),
  name: text(200),
  quantity: z
    .string()
    .regex(/^\d{1,6}(?:\.\d{1,3})?$/, "A decimal in a string, with three digits after the point at most.")
    .check(({ value, issues }) => {
      if (Number(value) === 0) issues.push({ code: "too_small", origin: "number", minimum: 0.001, input: value });
    })
    .meta({ description: "An exact decimal above 0; responses have three digits after the point." }),
  unit_price: rupiah,
};

const kept = { id, version };
const times = { created_at: instant, updated_at: instant };
const customerRef = z.strictObject({ id, name: customer.name, phone: customer.phone });
const vehicleRef = z.strictObject({ id, plate: vehicle.plate, make: vehicle.make, model: vehicle.model });

export const Customer = z.strictObject({ ...kept, ...customer, ...times });
export const CustomerPatch = z.strictObject(customer).partial();
export const CustomerInput = z.strictObject({
  ...customer,
  email: customer.email.default(null),
  address: customer.address.default(null),
});

export const Vehicle = z.strictObject({ ...kept, ...vehicle, ...times, customer: customerRef });
export const VehiclePatch = z.strictObject(vehicle).partial();
export const VehicleInput = z.strictObject({ ...vehicle, vin: vehicle.vin.default(null) });

export const Service = z.strictObject({
  ...kept,
  ...service,
  line_count: z.int().min(0).meta({ description: "The number of its lines." }),
  ...times,
  vehicle: vehicleRef,
  customer: customerRef,
});
export const ServicePatch = z.strictObject(service).partial();
export const ServiceInput = z.strictObject({
  ...service,
  status: service.status.default("scheduled"),
  description: service.description.default(null),
  completed_at: service.completed_at.default(null),
  notes: service.notes.default(null),
  paid_at: service.paid_at.default(null),
  mechanic: service.mechanic.default(null),
  odometer: service.odometer.default(null),
  remind_at: service.remind_at.default(null),
});
/** A client of the first contract does not send these fields: they stay as they are. */
export const ServiceReplacement = ServiceInput.extend({
  paid_at: service.paid_at.optional(),
  mechanic: service.mechanic.optional(),
  odometer: service.odometer.optional(),
  remind_at: service.remind_at.optional(),
});

export const Line = z.strictObject({
  ...kept,
  service_id: id,
  ...line,
  total: rupiah.meta({ description: "Quantity times unit price, rounded to two digits after the point." }),
  ...times,
});
export const LinePatch = z.strictObject(line).partial();
export const LineInput = z.strictObject({ service_id: id, ...line });
/** A line stays with its job. */
export const LineReplacement = z.strictObject(line);

export const Change = z.strictObject({
  id,
  at: instant,
  person: z.string().meta({ description: "The name of the login." }),
  action: z.enum(["created", "changed", "deleted"]),
  fields: z.record(z.string(), z.union([z.string(), z.boolean(), z.null()])).meta({
    description:
      "The changed fields. A job's status, price and payment have their values, any other field has true; a line has the name of the part or labour.",
  }),
});

const amount = z
  .string()
  .regex(/^\d+\.\d\d$/)
  .meta({ description: "Rupiah, an exact decimal." });
const jobs = z.int().min(0).meta({ description: "The number of jobs." });
export const Revenue = z.strictObject({
  days: z
    .array(z.strictObject({ day: z.string().regex(/^\d{4}-\d\d-\d\d$/), jobs, paid: amount }))
    .meta({ description: "The days with a payment, in their order." }),
  unpaid: z.strictObject({ jobs, total: amount }).meta({ description: "All jobs that are done and not paid." }),
});

const Existing = z.strictObject({ id });
/** Each part of an intake: an existing row by its id, or a new one without the reference that the intake sets. */
export const intake = {
  customer: { existing: Existing, fresh: CustomerInput },
  vehicle: { existing: Existing, fresh: VehicleInput.omit({ customer_id: true }) },
  service: { fresh: ServiceInput.omit({ vehicle_id: true }) },
};
/** The intake for the OpenAPI document; {@link intake} gives more exact errors. */
export const Intake = z.strictObject({
  customer: z.union([intake.customer.existing, intake.customer.fresh]),
  vehicle: z.union([intake.vehicle.existing, intake.vehicle.fresh]),
  service: intake.service.fresh,
});
export const IntakeResult = z.strictObject({ customer: Customer, vehicle: Vehicle, service: Service });

const number = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,16}$/, "A whole number.")
    .transform(Number)
    .pipe(z.int().min(min).max(max));

/** The schemas of the query parameters; `sort` takes the fields of one list. */
export const query = {
  limit: number(1, 100),
  id: number(1, Number.MAX_SAFE_INTEGER),
  q: text(100, 0, PLAIN),
  /** A sort key in a cursor, unchanged from PostgreSQL, because PostgreSQL compares it. */
  key: z.string().regex(PLAIN),
  after: z.string().regex(/^[A-Za-z0-9_-]{1,2000}$/, "Not a cursor of this list."),
  status: service.status,
  instant,
  sort: (fields: string[]) => z.enum(fields.flatMap((field) => [field, `-${field}`])),
};
