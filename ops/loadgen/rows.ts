/** The rows that loads write: customers whose names, and idempotency keys, begin with a prefix. */
import type { Result, Session } from "../cluster/session.ts";
import { postgres } from "../cluster/topology.ts";

/** The prefix of the rows of drills and faults. */
export const drillRows = "halo-drill";

const sql = (session: Session, statements: string): Promise<Result> =>
  session.on(postgres, `cd /\nrunuser -u postgres -- psql -qAtX -v ON_ERROR_STOP=1 halo <<'SQL'\n${statements}\nSQL`);

/** The names of the rows with this prefix. */
export const rowsOf = async (session: Session, prefix: string): Promise<string[]> =>
  (await sql(session, `SELECT name FROM workshop.customers WHERE name LIKE '${prefix}-%';`)).output
    .split("\n")
    .filter(Boolean);

/** Removes the rows with this prefix, also those of a load that was killed; resolves with their number. */
export async function removeRows(session: Session, prefix: string): Promise<number> {
  const { output } = await sql(
    session,
    `DELETE FROM workshop.idempotency_keys WHERE key LIKE '${prefix}-%';
WITH gone AS (DELETE FROM workshop.customers WHERE name LIKE '${prefix}-%' RETURNING 1) SELECT count(*) FROM gone;`,
  );
  return Number(output);
}
