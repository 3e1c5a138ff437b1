import { createServer } from "node:http";

createServer((_, response) => response.end("web\n")).listen(process.env.PORT, process.env.HOST);
