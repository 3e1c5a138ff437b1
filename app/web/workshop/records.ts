// The records of the API, as its schema has them. Types only: nothing of the server is in the bundle.
import type { z } from "zod";
import type * as schema from "../../src/workshop/schema.ts";

export type Customer = z.infer<typeof schema.Customer>;
export type Vehicle = z.infer<typeof schema.Vehicle>;
export type Job = z.infer<typeof schema.Service>;
export type Line = z.infer<typeof schema.Line>;
export type Status = Job["status"];
export type Change = z.infer<typeof schema.Change>;
export type Revenue = z.infer<typeof schema.Revenue>;
export type Intake = z.infer<typeof schema.IntakeResult>;

/** A kind of record, by its name in the API's addresses; the pages call a service a job. */
export type Records = { customer: Customer; vehicle: Vehicle; service: Job; line: Line };
export type Kind = keyof Records;
/** Values of some fields, as a request carries them. */
export type Values = Record<string, unknown>;
