// Tries to reach the stores that are not the app's, with its own logins; prints the refusals.
import { Redis } from "ioredis";
import pg from "pg";

const { DATABASE_URL, REDIS_HOST, REDIS_PASSWORD } = process.env;
const url = new URL(DATABASE_URL ?? "");
url.pathname = "/halo";
const other = new pg.Client({ connectionString: url.href });
console.log(
  `database halo: ${await other.connect().then(
    () => "open",
    ({ code }) => code,
  )}`,
);

const redis = new Redis({ host: REDIS_HOST, password: REDIS_PASSWORD, lazyConnect: true, retryStrategy: null });
redis.on("error", () => {});
const answer = await redis
  .connect()
  .then(() => redis.get("total_visits"))
  .then(
    () => "open",
    () => "refused",
  );
console.log(`shared Redis: ${answer}`);
redis.disconnect();
