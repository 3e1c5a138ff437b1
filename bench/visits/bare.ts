// What GET / is compared with: the least that Node's own HTTP server can do behind the same nginx.
import { createServer } from "node:http";

const body = JSON.stringify({
  container_id: "bare",
  message: "bare",
  database_status: "none",
  info: "bare",
  total_visits: 1,
});
const headers = { "Content-Type": "application/json; charset=utf-8", "Content-Length": Buffer.byteLength(body) };
const server = createServer((_, response) => response.writeHead(200, headers).end(body));
server.keepAliveTimeout = 75_000; // as the service's own: nginx closes first
server.listen(Number(process.argv[3]), process.argv[2]);
