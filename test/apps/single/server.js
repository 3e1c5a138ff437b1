// An app for one backend: it keeps lines in a file, and takes all the memory that it can get when it is asked to.
const { appendFileSync, existsSync, readFileSync } = require("node:fs");
const { createServer } = require("node:http");

const file = "data/lines.txt";
const kept = [];
createServer((req, res) => {
  if (req.url === "/leak") {
    setInterval(() => kept.push(Buffer.alloc(8 << 20, 1)), 20);
    res.end("leaking\n");
  } else if (req.method === "POST") {
    req.on("data", (chunk) => appendFileSync(file, chunk));
    req.on("end", () => res.end("kept\n"));
  } else res.end(existsSync(file) ? readFileSync(file) : "");
}).listen(process.env.PORT, process.env.HOST);
