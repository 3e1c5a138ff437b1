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
  year: id
    .min(1900)
    .check(({ value, issues }) => {
      if (value > nextYear()) issues.push({ code: "too_big", origin: "number", maximum: nextYear(), input: value });
    })
    .meta({ maximum: nextYear() }),
  vin: text(17, 17, /^[A-HJ-NPR-Za-hj-npr-z0-9]{17}$/, "17 letters and digits without I, O and Q.")
    .overwrite((value) => value.toUpperCase())
    .nullable(),
};
const service = {
  vehicle_id: id,
  kind: text(80),
  description: text(2000).nullable(),
  status: z.enum(["scheduled", "in_progress", "done", "cancelled"]),
  price: z
    .string()
    .regex(/^\d{1,12}(?:\.\d{1,2})?$/, "Rupiah as a decimal in a string, for example 150000 or 150000.50.")
    .meta({ description: "Rupiah, an exact decimal; responses have two digits after the point." }),
  scheduled_at: instant,
  completed_at: instant
    .nullable()
    .meta({ description: "With the status done and without a value: the present time. With any other status: null." }),
  notes: text(4000).nullable(),
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

export const Service = z.strictObject({ ...kept, ...service, ...times, vehicle: vehicleRef, customer: customerRef });
export const ServicePatch = z.strictObject(service).partial();
export const ServiceInput = z.strictObject({
  ...service,
  status: service.status.default("scheduled"),
  description: service.description.default(null),
  completed_at: service.completed_at.default(null),
  notes: service.notes.default(null),
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

const SORT_ERROR = "Not a field that this list can be sorted by.";
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
  sort: (fields: string[]) =>
    z.enum(
      fields.flatMap((field) => [field, `-${field}`]),
      SORT_ERROR,
    ),
};
