// An app that clusters itself, and replaces a worker that ends.
const cluster = require("node:cluster");
const { createServer } = require("node:http");

if (cluster.isPrimary) {
  cluster.on("exit", () => cluster.fork());
  for (let worker = 0; worker < 2; worker++) cluster.fork();
} else {
  createServer((req, res) => {
    req.resume().on("end", () => res.end("hello\n"));
  }).listen(process.env.PORT);
}
