// Logs in to PostgreSQL by the environment's settings; prints "in", or the reason why not.
import pg from "pg";

const client = new pg.Client();
try {
  await client.connect();
  console.log("in");
} catch (error) {
  console.log(error instanceof Error ? error.message : error);
}
process.exit();
