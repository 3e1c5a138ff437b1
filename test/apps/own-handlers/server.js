// An app with a shutdown of its own: it must run after the last answer, in its own order, and without an error.
const { createServer } = require("node:http");
const { promisify } = require("node:util");

let answers = 0;
const server = createServer((req, res) => {
  res.on("finish", () => answers++);
  req.resume().on("end", () => res.end("hello\n"));
});

const never = () => console.log("a removed handler ran");
process.on("SIGTERM", never);
process.addListener("SIGTERM", async (signal) => {
  const before = answers;
  await promisify(server.close.bind(server))();
  console.log(`second: ${signal}, closed without an error, ${answers - before} answers later`);
  process.exit(3);
});
process.prependOnceListener("SIGTERM", () => console.log(`first: ${process.listenerCount("SIGTERM")} left`));
process.off("SIGTERM", never);
process.once("SIGINT", never);
process.removeAllListeners("SIGINT");

const count = (signal) => [process.listenerCount(signal), process.listeners(signal).length];
console.log(`listeners: ${[...count("SIGTERM"), ...count("SIGINT")]}`);
server.listen(process.env.PORT);
