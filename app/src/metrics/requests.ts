import type { ServerResponse } from "node:http";
import type { IRoute, Request } from "express";
import { Counter, Gauge, Histogram, type Registry } from "prom-client";

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const BUCKETS_S = [
  0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2, 5,
];
/** nginx's status for a client that closed the connection before the end of its response. */
const CLIENT_CLOSED = 499;
/** Exported as 0 from the first request of a method and route on: a series that begins with its first failure has no rate. */
const FAILURES = [500, 503];

type Labels = { method: string; route: string };

/** The responses of one method of one route. Counted here, because that takes a tenth of prom-client's time. */
interface Answers extends Labels {
  readonly byStatus: Map<number, number>;
  readonly observe: (seconds: number) => void;
}

/**
 * Counts and times requests by method and by the pattern of their route. The number of series is bounded by the routes in the
 * code: a request without a route is "none", an unknown method "other".
 */
export class RequestMeter {
  readonly #answers = new Map<IRoute | undefined, Map<string, Answers>>();
  readonly #duration: Histogram<keyof Labels>;
  #inFlight = 0;

  constructor(registry: Registry) {
    const registers = [registry];
    const all = () => [...this.#answers.values()].flatMap((methods) => [...methods.values()]);
    new Counter({
      name: "http_requests_total",
      help: "Finished requests; 499: the client closed the connection before the end of the response.",
      labelNames: ["method", "route", "status"],
      registers,
      collect() {
        this.reset();
        for (const { method, route, byStatus } of all())
          for (const [status, count] of byStatus) this.inc({ method, route, status }, count);
      },
    });
    this.#duration = new Histogram({
      name: "http_request_duration_seconds",
      help: "From a request's head to the end of its response, or until its client closed the connection.",
      labelNames: ["method", "route"],
      buckets: BUCKETS_S,
      registers,
    });
    const inFlight = () => this.#inFlight;
    new Gauge({
      name: "http_requests_in_flight",
      help: "Requests in progress.",
      registers,
      collect() {
        this.set(inFlight());
      },
    });
  }

  /** Records the start of a request; end() must follow. */
  begin(): void {
    this.#inFlight += 1;
  }

  /** Must be called once for each begin(), at the "close" of the response, with the milliseconds from its start. */
  end(res: ServerResponse, ms: number): void {
    this.#inFlight -= 1;
    const req = res.req as Request;
    const route: IRoute | undefined = req.route;
    const answers = this.#answers.get(route)?.get(req.method) ?? this.#first(req, route, res.context.mount);
    const status = res.writableFinished ? res.statusCode : CLIENT_CLOSED;
    answers.byStatus.set(status, (answers.byStatus.get(status) ?? 0) + 1);
    answers.observe(ms / 1000);
  }

  #first({ method: given }: Request, route: IRoute | undefined, mount: string): Answers {
    const methods = this.#answers.get(route) ?? new Map<string, Answers>();
    this.#answers.set(route, methods);
    const method = METHODS.includes(given) ? given : "other";
    const known = methods.get(method);
    if (known) return known;
    const pattern = route && (mount + route.path).replace(/(?<=.)\/$/, "");
    const labels = { method, route: pattern ?? "none" };
    const { observe } = this.#duration.labels(labels);
    const answers = { ...labels, byStatus: new Map(FAILURES.map((status) => [status, 0])), observe };
    methods.set(method, answers);
    return answers;
  }
}
