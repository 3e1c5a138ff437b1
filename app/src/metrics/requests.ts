import type { ServerResponse } from "node:http";
import type { IRoute, Request } from "express";
import { Counter, Gauge, Histogram, type Registry } from "prom-client";

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const BUCKETS_S = [
  0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2, 5,
];
/** nginx's status for a client that left before it had its answer; the one this service had begun says nothing. */
const LEFT = 499;
/** Told as 0 from a method's and route's first request on: what appears with its first value has no rate. */
const FAILURES = [500, 503];

type Labels = { method: string; route: string };

/** What one method of one route has answered. Counted here and not in prom-client: that is a tenth of the time. */
interface Answers extends Labels {
  readonly byStatus: Map<number, number>;
  readonly observe: (seconds: number) => void;
}

/**
 * Counts and times requests by method and by the pattern of their route, so there are as many series as the code has
 * routes, whatever is asked: a request without a route is "none", a method of another kind "other".
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
      help: "Requests that are over; 499: the client left before it had the whole answer.",
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
      help: "From a request's head to the end of its answer, or until its client left.",
      labelNames: ["method", "route"],
      buckets: BUCKETS_S,
      registers,
    });
    const inFlight = () => this.#inFlight;
    new Gauge({
      name: "http_requests_in_flight",
      help: "Requests that are not over.",
      registers,
      collect() {
        this.set(inFlight());
      },
    });
  }

  /** A request has come; its end must be told, too. */
  begin(): void {
    this.#inFlight += 1;
  }

  /** To be called once for each request that has begun, at the "close" of its response. */
  end(res: ServerResponse): void {
    this.#inFlight -= 1;
    const req = res.req as Request;
    const route: IRoute | undefined = req.route;
    const answers = this.#answers.get(route)?.get(req.method) ?? this.#first(req, route, res.context.mount);
    const status = res.writableFinished ? res.statusCode : LEFT;
    answers.byStatus.set(status, (answers.byStatus.get(status) ?? 0) + 1);
    answers.observe((performance.now() - res.context.startedAt) / 1000);
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
