const { createServer } = require("node:http");
const { postgraphile } = require("postgraphile");

const { DATABASE_URL, PORT, HOST } = process.env;
createServer(postgraphile(DATABASE_URL, "public", { graphiql: true })).listen(PORT, HOST);
