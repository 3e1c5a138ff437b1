import pg from "pg";

const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
await client.connect();
await client.query(`CREATE TABLE IF NOT EXISTS notes (
  id bigserial PRIMARY KEY,
  visitor text NOT NULL,
  text text NOT NULL,
  words integer,
  made_at timestamptz NOT NULL DEFAULT now()
)`);
await client.end();
