// An app with one of six faults: STUBBORN names it.
const { createServer } = require("node:http");

const { PORT, STUBBORN, AFTER_MS = 2000 } = process.env;
const server = createServer((_req, res) => res.writeHead(STUBBORN === "lost" ? 404 : 200).end("hello\n"));

if (STUBBORN === "silent") {
  console.log("waiting for nothing");
  setInterval(() => {}, 1000);
} else if (STUBBORN === "own-port") server.listen(0);
else if (STUBBORN === "loopback") server.listen(PORT, "127.0.0.1");
else server.listen(PORT);

if (STUBBORN === "crash") setTimeout(() => JSON.parse("no settings"), Number(AFTER_MS));
if (STUBBORN === "deaf") {
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => console.log(`${signal} is ignored`));
  setInterval(() => {}, 1000);
}
