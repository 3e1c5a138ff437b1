/** The thread that makes handshakes, some at a time, for some seconds: each is a new one, or resumes the session of the one before. */
import tls from "node:tls";
import { parentPort, workerData } from "node:worker_threads";

const { host, port, servername, ca, resume, seconds, most }: HandshakeOptions = workerData;

/** `resume`: whether a handshake uses the session of an earlier one. The thread ends after `seconds`, or `most` handshakes. */
export type HandshakeOptions = {
  host: string;
  port: number;
  servername: string;
  ca?: string;
  resume: boolean;
  seconds: number;
  most: number;
};

const atOnce = 8; // more would measure the queue of this thread
const since = performance.now();
let begun = 0;
let made = 0;
let resumed = 0;

/** One of the handshakes that run side by side. The connection ends with the handshake; TLS 1.2 has the session in it. */
function next(session?: Buffer): void {
  if (begun >= most || performance.now() >= since + seconds * 1000) return;
  begun++;
  const options = {
    host,
    port,
    servername,
    maxVersion: "TLSv1.2",
    ...(ca && { ca }),
    ...(session && { session }),
  } as const;
  const socket = tls.connect(options, () => {
    made++;
    if (socket.isSessionReused()) resumed++;
    const kept = resume ? socket.getSession() : undefined;
    socket.destroy();
    next(kept);
  });
  socket.on("error", (error) => {
    throw error;
  });
}

for (let i = 0; i < atOnce; i++) next();
process.on("exit", () => parentPort?.postMessage({ made, resumed, seconds: (performance.now() - since) / 1000 }));
