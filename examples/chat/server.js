import { createServer } from "node:http";
import express from "express";
import { Redis } from "ioredis";
import { WebSocketServer } from "ws";

const { REDIS_URL = "", PORT, HOST } = process.env;
const sender = new Redis(REDIS_URL);
const receiver = new Redis(REDIS_URL);

const app = express();
app.get("/", (_request, response) => response.sendFile("page.html", { root: import.meta.dirname }));
const server = createServer(app);
const room = new WebSocketServer({ server, maxPayload: 1000 });

room.on("connection", (client) => {
  client.on("message", (text) => sender.publish("room", text.toString()));
  client.on("error", () => client.terminate());
});
await receiver.subscribe("room");
receiver.on("message", (_channel, text) => {
  for (const client of room.clients) client.send(text);
});
server.listen(Number(PORT), HOST);
