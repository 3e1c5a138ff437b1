const { existsSync } = require("node:fs");
const http = require("node:http");
const { greeting } = require("@mono/texts");

// Names of its own for the port and the address.
const { API_PORT, API_ADDRESS } = process.env;
http.createServer((_, response) => response.end(`${greeting("mono")}\n`)).listen(API_PORT, API_ADDRESS);
// A release of a test's that passes as a candidate, and crashes soon after.
if (existsSync("crashes")) setTimeout(() => process.exit(1), 8000);
