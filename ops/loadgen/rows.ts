/** The rows that loads write: customers whose names, and idempotency keys, begin with a prefix. */
import type { Result, Session } from "../cluster/session.ts";
import { postgres } from "../cluster/topology.ts";
import { sqlScript, withInput } from "../lib/script.ts";

/** The prefix of the rows of drills and faults. */
export const drillRows = "halo-drill";

const sql = (session: Session, name: string, prefix: string): Promise<Result> => {
  const client = "cd /; runuser -u postgres -- psql -qAtX -v ON_ERROR_STOP=1 halo";
  return session.on(postgres, withInput(client, sqlScript(new URL(name, import.meta.url), { prefix })));
};

/** The names of the rows with this prefix. */
export const rowsOf = async (session: Session, prefix: string): Promise<string[]> =>
  (await sql(session, "row_names.sql", prefix)).output.split("\n").filter(Boolean);

/** Removes the rows with this prefix, also those of a load that was killed; resolves with their number. */
export const removeRows = async (session: Session, prefix: string): Promise<number> =>
  Number((await sql(session, "remove_rows.sql", prefix)).output);
