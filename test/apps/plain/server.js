// An app that knows nothing of signals, of health checks and of the balancer before it.
const { createServer } = require("node:http");

createServer((req, res) => {
  if (req.method === "GET") return void res.end("hello\n");
  const chunks = [];
  req.on("data", (chunk) => chunks.push(chunk));
  req.on("end", () => res.end(Buffer.concat(chunks)));
}).listen(process.env.PORT || 3000, process.env.HOST);
