import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

/**
 * Sends a request with its body as a proxy does that reads the response only after the whole body is sent. Resolves with the
 * response; rejects if the connection was reset, which a proxy takes for a failure of the backend.
 *
 * @param head without the length and the empty line
 */
export function upload(port: number, head: string, bytes = 200_000): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    socket.on("error", reject);
    socket.on("connect", async () => {
      socket.write(`${head}\r\nHost: h\r\nContent-Length: ${bytes}\r\n\r\n${"x".repeat(1000)}`);
      // Nothing says when the other end has closed; too short a time only makes the test milder.
      for (let sent = 1000; sent < bytes && !socket.destroyed; sent += 49_750) {
        await pause(50);
        socket.write("x".repeat(49_750));
      }
      let answer = "";
      socket.on("data", (chunk) => {
        answer += chunk;
        if (/\r\n\r\n[\s\S]*\}/.test(answer)) {
          socket.destroy();
          resolve(answer);
        }
      });
    });
  });
}
