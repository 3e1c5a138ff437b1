// Opens connections until PostgreSQL refuses one; prints how many it had, and the refusal.
import pg from "pg";

const MOST = 100; // more than any limit of an app's
const open = [];
let refusal = "no refusal";
while (open.length < MOST && refusal === "no refusal") {
  const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
  client.on("error", () => {});
  await client.connect().then(
    () => open.push(client),
    ({ code }) => {
      refusal = code;
    },
  );
}
console.log(`${open.length} connections, then ${refusal}`);
for (const client of open) await client.end();
