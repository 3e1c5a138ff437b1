import { randomBytes } from "node:crypto";
import { Agent, get } from "node:http";

interface Answer {
  readonly status: number;
  readonly total: number | null;
  readonly ms: number;
  readonly close: boolean;
}

/** The results of a load: one entry for each request, in `failed` for a request without a response. */
export interface Results {
  readonly answers: Answer[];
  readonly failed: Error[];
  readonly requests: number;
}

/**
 * Sends GET / over keepalive connections until the returned function is called.
 *
 * @param ports of the services, in turn
 * @param retry whether a request without a response is retried on the other ports with the same id, as nginx does
 */
export function startLoad(ports: number[], { clients = 8, gapMs = 3, retry = false } = {}): () => Promise<Results> {
  const agent = new Agent({ keepAlive: true });
  const answers: Answer[] = [];
  const failed: Error[] = [];
  let requests = 0;
  let running = true;

  const client = async () => {
    while (running) {
      const order = ports.map((_, i) => ports[(requests + i) % ports.length] as number);
      requests += 1;
      const id = randomBytes(16).toString("hex");
      const started = performance.now();
      try {
        const answer = await attempt(retry ? order : order.slice(0, 1), id);
        answers.push({ ...answer, ms: performance.now() - started });
      } catch (error) {
        failed.push(error as Error);
      }
      await new Promise((resolve) => setTimeout(resolve, gapMs));
    }
  };

  const attempt = async (order: number[], id: string): Promise<Omit<Answer, "ms">> => {
    try {
      return await once(order[0] as number, id, agent);
    } catch (error) {
      if (order.length === 1) throw error;
      return attempt(order.slice(1), id);
    }
  };

  const done = Promise.all(Array.from({ length: clients }, client));
  return async () => {
    running = false;
    await done;
    agent.destroy();
    return { answers, failed, requests };
  };
}

function once(port: number, id: string, agent: Agent): Promise<Omit<Answer, "ms">> {
  return new Promise((resolve, reject) => {
    const request = get({ host: "127.0.0.1", port, agent, headers: { "X-Request-Id": id } }, (response) => {
      let body = "";
      response.on("data", (chunk) => {
        body += chunk;
      });
      response.on("error", reject);
      response.on("end", () =>
        resolve({
          status: response.statusCode as number,
          total: JSON.parse(body).total_visits,
          close: response.headers.connection === "close",
        }),
      );
    });
    request.on("error", reject);
  });
}
