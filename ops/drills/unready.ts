// The program of a bad release: it answers as this release, and is never ready. A drill puts it in the place of main.ts.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

const release = readFileSync(new URL("../../RELEASE", import.meta.url), "utf8").trim();
createServer((request, response) => {
  response.statusCode = request.url === "/readyz" ? 503 : 200;
  response.end(JSON.stringify({ release, reason: "corrupt: not ready" }));
}).listen(Number(process.env.HALO_PORT), process.env.HALO_HOST);
