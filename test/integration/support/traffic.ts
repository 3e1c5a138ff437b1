import { Agent, request } from "node:http";

const CONNECTIONS = 20;
/** Each connection sends so often: 100 requests a second together. */
const EACH_MS = 200;

interface Answer {
  readonly method: string;
  readonly status: number;
  readonly release: string | undefined;
  readonly servedBy: string | undefined;
}

export interface Traffic {
  readonly answers: Answer[];
  /** Requests without an answer, though a backend had accepted their connection: nginx does not send a POST again. */
  readonly cutOff: string[];
  /** Attempts that a backend refused: nginx asks the next one, for a POST too. */
  refused: number;
  /** Requests that every backend refused. */
  unserved: number;
}

/**
 * Sends 100 requests a second over kept connections, every tenth a POST, to backends in turn; a backend that refuses the
 * connection is followed by the next one, as in nginx.
 *
 * @param to the host of the ports, the name under which it is asked, and the path of POSTs
 * @returns the results so far, and a function that stops after the last answer
 */
export function startTraffic(
  ports: number[],
  { host = "127.0.0.1", domain = "h", post = "/" }: { host?: string; domain?: string; post?: string } = {},
): { traffic: Traffic; stop: () => Promise<Traffic> } {
  const traffic: Traffic = { answers: [], cutOff: [], refused: 0, unserved: 0 };
  let running = true;
  let count = 0;

  const attempt = (agent: Agent, port: number, method: string) =>
    new Promise<Answer>((resolve, reject) => {
      const sent = request(
        { host, port, agent, method, path: method === "POST" ? post : "/", headers: { ...CONTENT, Host: domain } },
        (response) => {
          response.resume().on("error", reject);
          response.on("end", () => {
            const { "x-release": release, "x-served-by": servedBy } = response.headers;
            resolve({ method, status: response.statusCode ?? 0, release: `${release}`, servedBy: `${servedBy}` });
          });
        },
      );
      sent.on("error", reject);
      sent.end(method === "POST" ? '{"text":"tea"}' : undefined);
    });

  const send = async (agents: Agent[], method: string) => {
    const turn = count++;
    for (const i of ports.keys()) {
      const backend = (turn + i) % ports.length;
      try {
        traffic.answers.push(await attempt(agents[backend] as Agent, ports[backend] as number, method));
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ECONNREFUSED") {
          traffic.cutOff.push(`${method}: ${error}`);
          return;
        }
        traffic.refused++;
      }
    }
    traffic.unserved++;
  };

  const client = async (i: number) => {
    const agents = ports.map(() => new Agent({ keepAlive: true, maxSockets: 1 }));
    await new Promise((resolve) => setTimeout(resolve, (i * EACH_MS) / CONNECTIONS));
    while (running) {
      const due = performance.now() + EACH_MS;
      await send(agents, count % 10 === 9 ? "POST" : "GET");
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
      // A connection that the backend has closed by now is known to be closed two turns of the event loop later.
      for (let turn = 0; turn < 2; turn++) await new Promise(setImmediate);
    }
    for (const agent of agents) agent.destroy();
  };

  const done = Promise.all(Array.from({ length: CONNECTIONS }, (_, i) => client(i)));
  return {
    traffic,
    stop: async () => {
      running = false;
      await done;
      return traffic;
    },
  };
}
const CONTENT = { "Content-Type": "application/json" };
