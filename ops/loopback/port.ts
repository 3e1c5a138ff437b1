import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";

/** A port that was free a moment ago. */
export async function freePort(wanted = 0): Promise<number> {
  const server = createServer().listen(wanted, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** The first of two ports in a row that were free a moment ago. */
export async function freePair(): Promise<number> {
  for (;;) {
    const port = await freePort();
    try {
      await freePort(port + 1);
      return port;
    } catch {} // the second one is in use, or beyond the last one
  }
}
