/**
 * Begins or ends a fault inside the service's oldest worker, by the inspector that listens on its host's loopback.
 * Arguments: "starve" or "leak" and its seconds, or "end", which does nothing where no inspector listens.
 */
type Running = { end(): void };
type Worker = typeof globalThis & { haloFault?: Running | undefined };

// These functions run inside the worker: each is sent as text, so it uses nothing from outside itself.
function begin(every: number, seconds: number, work: (kept: number[][]) => void): void {
  const worker = globalThis as Worker;
  if (worker.haloFault) return;
  const over = Date.now() + seconds * 1000;
  const kept: number[][] = [];
  const timer = setInterval(() => {
    if (Date.now() > over) worker.haloFault?.end();
    else work(kept);
  }, every);
  worker.haloFault = {
    end() {
      clearInterval(timer);
      kept.length = 0;
      delete worker.haloFault;
      setTimeout(() => process.getBuiltinModule("node:inspector").close(), 500);
    },
  };
}
const starve = () => {
  for (const end = Date.now() + 400; Date.now() < end; );
};
const leak = (kept: number[][]) => {
  if (kept.length < 200) kept.push(new Array(131072).fill(Math.random()));
};
const finish = () => (globalThis as Worker).haloFault?.end();

const [action = "", seconds = "0"] = process.argv.slice(2);
// No template: systemd would expand its braces, since a host keeps this program on the command line of its timer.
const call = (inside: (...args: never[]) => void, ...args: unknown[]) =>
  ["(", inside, ")(", args.map(String).join(", "), ")"].join("");
const expressions: Record<string, string> = {
  starve: call(begin, 500, seconds, starve),
  leak: call(begin, 250, seconds, leak),
  end: call(finish),
};
const calls: [string, object][] = [["Runtime.evaluate", { expression: expressions[action] }]];
if (action === "end") calls.push(["HeapProfiler.collectGarbage", {}]);

let target: { webSocketDebuggerUrl: string } | undefined;
for (let i = 0; i < 100 && !target; i++)
  try {
    [target] = (await (await fetch("http://127.0.0.1:9229/json/list")).json()) as [typeof target];
  } catch {
    if (action === "end") process.exit(); // no inspector listens: no fault is left
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
if (!target) throw new Error("the inspector does not listen");
const socket = new WebSocket(target.webSocketDebuggerUrl);
await new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject }));
for (const [id, [method, params]] of calls.entries()) {
  const answer = new Promise<string>((resolve) => {
    socket.onmessage = ({ data }) => {
      if (JSON.parse(data).id === id) resolve(data);
    };
  });
  socket.send(JSON.stringify({ id, method, params }));
  if (/exceptionDetails|"error"/.test(await answer)) throw new Error(await answer);
}
process.exit();

export {};
