import { sql } from "kysely";
import { z } from "zod";
import type { Connection } from "./database.ts";
import { readParameters } from "./lists.ts";
import { query, type Revenue } from "./schema.ts";
import { HttpProblem, limitErrors } from "./validation.ts";

const DAY_MS = 86_400_000;
const DEFAULT_DAYS = 31;
/** The most days of a response: a year, and a month more to compare it with. */
const MAX_DAYS = 400;

/** The query parameters, with their descriptions for the OpenAPI document. */
export const revenueParameters = {
  from: query.instant.meta({
    description: `Paid at this time or later; ${DEFAULT_DAYS} days before \`to\` by default.`,
  }),
  to: query.instant.meta({ description: "Paid before this time; the present time by default." }),
  offset: z
    .string()
    .regex(/^[+-](?:0\d|1[0-4]):[0-5]\d$/, "Hours and minutes from UTC to the local time, for example +07:00.")
    .meta({ description: "Days begin at midnight in this distance from UTC; +07:00 by default." }),
};

/** The period of a request, and the distance of its days from UTC, such as +07:00. */
export interface RevenueRequest {
  readonly from: string;
  readonly to: string;
  readonly offset: string;
}

/** @throws {HttpProblem} 400 with an error for each invalid parameter */
export function readRevenueRequest(search: URLSearchParams, now = new Date()): RevenueRequest {
  const { given, errors } = readParameters(revenueParameters, search);
  const to = (given.to?.[0] as string | undefined) ?? now.toISOString();
  const from =
    (given.from?.[0] as string | undefined) ?? new Date(Date.parse(to) - DEFAULT_DAYS * DAY_MS).toISOString();
  if (errors.length === 0 && Date.parse(to) - Date.parse(from) > MAX_DAYS * DAY_MS)
    errors.push({ parameter: "from", code: "range", detail: `At most ${MAX_DAYS} days before to.` });
  if (errors.length > 0) throw new HttpProblem(400, "The query is invalid.", limitErrors(errors));
  return { from, to, offset: (given.offset?.[0] as string | undefined) ?? "+07:00" };
}

/** The sums of the jobs that were paid on each day of a period, and of all finished jobs that are not paid. */
export async function readRevenue(
  db: Connection,
  { from, to, offset }: RevenueRequest,
): Promise<z.infer<typeof Revenue>> {
  const days = await sql<{ day: string; jobs: number; paid: string }>`
    select to_char(paid_at at time zone ${offset}::interval, 'YYYY-MM-DD') as day, count(*)::integer as jobs, sum(price) as paid
    from services where paid_at >= ${from} and paid_at < ${to} group by 1 order by 1`.execute(db);
  const unpaid = await sql<{ jobs: number; total: string }>`
    select count(*)::integer as jobs, coalesce(sum(price), 0.00) as total
    from services where status = 'done' and paid_at is null`.execute(db);
  return { days: days.rows, unpaid: unpaid.rows[0] as { jobs: number; total: string } };
}
