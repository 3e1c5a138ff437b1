/** The rows that loads write: customers whose names, and idempotency keys, begin with a prefix. */
import { renewLists } from "../cluster/lists.ts";
import type { Result, Session } from "../cluster/session.ts";
import { postgres } from "../cluster/topology.ts";
import { sqlScript, withInput } from "../lib/script.ts";

/** The prefix of the rows of drills and faults. */
export const drillRows = "halo-drill";

const sql = (session: Pick<Session, "on">, name: string, prefix: string): Promise<Result> => {
  const client = "cd /; runuser -u postgres -- psql -qAtX -v ON_ERROR_STOP=1 halo";
  return session.on(postgres, withInput(client, sqlScript(new URL(name, import.meta.url), { prefix })));
};

/** The names of the rows with this prefix. */
export const rowsOf = async (session: Session, prefix: string): Promise<string[]> =>
  (await sql(session, "row_names.sql", prefix)).output.split("\n").filter(Boolean);

/** Removes the rows with this prefix from PostgreSQL and from every list, also those of a load that was killed; resolves with their number. */
export async function removeRows(session: Pick<Session, "on">, prefix: string, renew = renewLists): Promise<number> {
  const removed = Number((await sql(session, "remove_rows.sql", prefix)).output);
  if (removed > 0) await renew();
  return removed;
}
