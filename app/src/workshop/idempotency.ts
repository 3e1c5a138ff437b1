import { createHash } from "node:crypto";
import { sql } from "kysely";
import type { Connection, Database } from "./database.ts";
import { HttpProblem } from "./validation.ts";

/** The result of a POST, sent with 201. */
export interface Created {
  readonly location: string;
  readonly etag?: string | undefined;
  readonly body: string;
}

/**
 * Runs the work of a POST once for each idempotency key: within 24 hours the same request with the same key gets the stored
 * response. One transaction writes key, row and response; a concurrent request with the same key waits for its end.
 *
 * @param key the Idempotency-Key header, or undefined
 * @param singleStatement whether the work is one statement; without a key it then needs no transaction
 * @param request the path and the validated body
 * @throws {HttpProblem} 400 for a malformed key, 422 for a key that another request has used
 */
export async function withIdempotencyKey(
  database: Database,
  key: string | undefined,
  singleStatement: boolean,
  request: readonly [path: string, input: unknown],
  work: (db: Connection) => Promise<Created>,
): Promise<Created & { replayed: boolean }> {
  if (key === undefined) {
    const created = await (singleStatement ? database.run(work) : database.transaction(work));
    return { ...created, replayed: false };
  }
  if (!/^[\x20-\x7e]{1,200}$/.test(key))
    throw new HttpProblem(400, "The Idempotency-Key must be 1 to 200 printable ASCII characters.");
  const fingerprint = createHash("sha256").update(JSON.stringify(request)).digest("hex");

  return database.transaction(async (db) => {
    const claimed = await sql`insert into idempotency_keys as k (key, request) values (${key}, ${fingerprint})
      on conflict (key) do update set request = excluded.request, created_at = now()
      where k.created_at < now() - interval '24 hours' returning key`.execute(db);
    if (claimed.rows.length === 0) {
      const { rows } = await sql<Created & { request: string }>`
        select request, location, etag, body from idempotency_keys where key = ${key}`.execute(db);
      const [{ request, ...answer }] = rows as [Created & { request: string }];
      if (request !== fingerprint) throw new HttpProblem(422, "This Idempotency-Key was used for another request.");
      return { ...answer, replayed: true };
    }
    const created = await work(db);
    await sql`update idempotency_keys set location = ${created.location}, etag = ${created.etag ?? null},
      body = ${created.body} where key = ${key}`.execute(db);
    // Each new key removes some expired ones, except rows that another transaction has locked.
    await sql`delete from idempotency_keys where key in (select key from idempotency_keys
      where created_at < now() - interval '24 hours' order by created_at limit 10 for update skip locked)`.execute(db);
    return { ...created, replayed: false };
  });
}
