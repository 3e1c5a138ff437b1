// A list in PostgreSQL and a count in Redis, with keys of no prefix and a secret.
import { createHmac } from "node:crypto";
import express from "express";
import { Redis } from "ioredis";
import pg from "pg";

const database = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 4 });
const redis = new Redis(process.env.REDIS_URL ?? "");
const secret = process.env.SESSION_SECRET ?? "";
const app = express();
app.use(express.json());
app.get("/healthz", (_, response) => response.json({ ok: true }));
app.get("/", async (_, response) => {
  const { rows } = await database.query("SELECT id, name FROM items ORDER BY id DESC LIMIT 20");
  const requests = await redis.incr("requests");
  response.json({ rows, requests, signed: createHmac("sha256", secret).update(String(requests)).digest("hex") });
});
app.post("/items", async ({ body }, response) => {
  const { rows } = await database.query("INSERT INTO items (name) VALUES ($1) RETURNING id", [String(body?.name)]);
  response.status(201).json(rows[0]);
});
app.listen(Number(process.env.PORT), process.env.HOST ?? "0.0.0.0");
