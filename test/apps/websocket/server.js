// A WebSocket server without a package: it accepts each upgrade and sends back the bytes that it gets.
const { createHash } = require("node:crypto");
const { createServer } = require("node:http");

const server = createServer((_req, res) => res.end("hello\n"));
server.on("upgrade", (req, socket) => {
  const key = `${req.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  const accept = createHash("sha1").update(key).digest("base64");
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  socket.on("data", (data) => socket.write(data));
  socket.on("error", () => {});
});
server.listen(process.env.PORT);
