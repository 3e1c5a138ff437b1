// Each backend runs one; a row is one worker's, because the others skip locked rows.
import pg from "pg";

const database = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 1 });
const count = `UPDATE notes SET words = array_length(regexp_split_to_array(trim(text), '\\s+'), 1)
  WHERE id IN (SELECT id FROM notes WHERE words IS NULL ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED)`;

for (;;) {
  const { rowCount } = await database.query(count);
  if (rowCount) console.log(`counted the words of ${rowCount} notes`);
  else await new Promise((resolve) => setTimeout(resolve, 1000));
}
