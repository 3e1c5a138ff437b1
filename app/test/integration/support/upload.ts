import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

/**
 * Sends a request's head with its body as a balancer does that goes on while the answer is there already, and reads only
 * then. Resolves with the answer; rejects where the connection was reset, which a balancer takes for a failure.
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
