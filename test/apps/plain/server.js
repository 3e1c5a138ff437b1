// The least that a person deploys: no signals, no health path, Node's own keep-alive.
const http = require("node:http");

http
  .createServer((request, response) => {
    request.resume();
    request.on("end", () => response.end(`plain: ${request.method} ${request.url}\n`));
  })
  .listen(process.env.PORT || 3000, process.env.HOST);
