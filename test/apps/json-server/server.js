const { create, defaults, router } = require("json-server");

const { PORT, HOST } = process.env;
const server = create();
server.use(defaults(), router("data/db.json"));
server.listen(PORT, HOST);
