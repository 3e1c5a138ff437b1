// A backend that takes a request, writes down its method and path, and hangs up. Arguments: its port, the file to write.
import { appendFileSync } from "node:fs";
import { createServer } from "node:net";

const [port, file = ""] = process.argv.slice(2);
createServer((socket) => {
  socket.on("error", () => {});
  socket.once("data", (data) => {
    appendFileSync(file, `${String(data).split(" HTTP")[0]}\n`);
    socket.destroy();
  });
}).listen(Number(port));
