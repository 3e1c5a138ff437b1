const { PeerServer } = require("peer");

const { PORT, HOST } = process.env;
PeerServer({ port: Number(PORT), host: HOST });
