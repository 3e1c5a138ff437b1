import { createHmac, randomUUID } from "node:crypto";
import express from "express";
import { Redis } from "ioredis";
import pg from "pg";

const { DATABASE_URL, REDIS_URL = "", SESSION_SECRET = "", PORT, HOST } = process.env;
const database = new pg.Pool({ connectionString: DATABASE_URL, max: 4 });
// The end of an idle connection; the next query opens another one.
database.on("error", (error) => console.error(error.message));
const redis = new Redis(REDIS_URL);
const WEEK = 7 * 24 * 3600;

const sign = (id) => `${id}.${createHmac("sha256", SESSION_SECRET).update(id).digest("base64url")}`;

/** The visitor behind a session's cookie; a new one without. */
async function visitorOf(request, response) {
  const [, cookie = ""] = /(?:^|; )session=([^;]+)/.exec(request.headers.cookie ?? "") ?? [];
  const id = cookie.split(".")[0];
  if (cookie === sign(id)) {
    const visitor = await redis.getex(`session:${id}`, "EX", WEEK);
    if (visitor) return visitor;
  }
  const session = randomUUID();
  const visitor = randomUUID();
  await redis.set(`session:${session}`, visitor, "EX", WEEK);
  // By https a cookie that no plain request carries.
  const { secure } = request;
  response.cookie("session", sign(session), { httpOnly: true, sameSite: "lax", secure, maxAge: WEEK * 1000 });
  return visitor;
}

const app = express();
// The balancer, whose X-Forwarded-Proto says how the visitor came, has a private address.
app.set("trust proxy", "uniquelocal");
app.use(express.json());
app.get("/healthz", async (_request, response) => {
  await Promise.all([database.query("SELECT 1"), redis.ping()]);
  response.json({ ok: true });
});
app.get("/", async (request, response) => {
  const visitor = await visitorOf(request, response);
  const { rows } = await database.query("SELECT id, text, words FROM notes WHERE visitor = $1 ORDER BY id", [visitor]);
  response.json(rows);
});
app.post("/", async (request, response) => {
  const text = request.body?.text;
  if (typeof text !== "string" || text === "") return void response.status(400).json({ problem: "text is missing" });
  const visitor = await visitorOf(request, response);
  const { rows } = await database.query("INSERT INTO notes (visitor, text) VALUES ($1, $2) RETURNING id", [
    visitor,
    text,
  ]);
  response.status(201).json(rows[0]);
});
app.listen(Number(PORT), HOST);
