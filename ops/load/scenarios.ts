import { UserError } from "../lib/cli.ts";
import { parseDuration } from "../lib/duration.ts";

/** A constant rate from a second of the run on, for so many seconds. */
export type Phase = { from: number; seconds: number; rate: number };

/** A run as it is to be. One of phases, clients, steps and desk says how the requests come. */
export type Plan = {
  scenario: string;
  what: string;
  path: string;
  /** Seconds after which it is over, whatever is still to be sent; of steps and of a desk's rounds, seconds of each. */
  seconds: number;
  connections: number;
  phases?: Phase[];
  clients?: { count: number; times: number };
  /** Requests a second of the first step, and how many no step may exceed. */
  steps?: { from: number; to: number };
  /** Requests a second, and how many rounds are measured. */
  desk?: { rate: number; rounds: number };
};

/** The values that a person may give instead of the scenario's own; as typed. */
export type Options = { rate?: string; duration?: string; connections?: string; path?: string };

/**
 * The bounds of a stress step, and how far the search for the knee goes. p95 (in ms) is the threshold of the alert SiteSlow,
 * `errors` of SiteErrors; a test compares them.
 */
export const bounds = { p95: 200, errors: 0.01, growth: 1.5, near: 1.1 };

const LIMITS = {
  rate: 5000,
  seconds: 4 * 3600,
  requests: 500_000,
  connections: 400,
  clients: 100,
  step: 20,
  /** Requests a second of a desk, and seconds of each of its rounds. */
  desk: 200,
  round: 300,
};

type Scenario = {
  what: string;
  path: string;
  rate?: number;
  seconds: number;
  connections: number;
  plan(rate: number, seconds: number, connections: number): Partial<Plan>;
};

const steady = (rate: number, seconds: number) => ({ phases: [{ from: 0, seconds, rate }] });

const scenarios: Record<string, Scenario> = {
  normal: {
    what: "the original's: one GET of the vehicles each second",
    path: "/api/vehicles",
    rate: 1,
    seconds: 100,
    connections: 100,
    plan: steady,
  },
  high: {
    what: "the original's: 3 clients, each 500 times a POST and a GET of the customers, without a pause",
    path: "/api/customers",
    seconds: 300,
    connections: 3,
    plan: (_, __, count) => ({ clients: { count, times: 500 } }),
  },
  spike: {
    what: "a tenth of the rate all the time, the whole of it in the middle third",
    path: "/api/vehicles",
    rate: 200,
    seconds: 60,
    connections: 100,
    plan: (rate, seconds) => ({
      phases: [
        { from: 0, seconds, rate: rate / 10 },
        { from: seconds / 3, seconds: seconds / 3, rate: rate - rate / 10 },
      ],
    }),
  },
  soak: {
    what: "a moderate rate for long: it shows leaks, growth and full disks",
    path: "/api/vehicles",
    rate: 20,
    seconds: 1800,
    connections: 100,
    plan: steady,
  },
  stress: {
    what: "ever higher rates, --rate at most, each for --duration: the highest at which p95 and errors stay in bounds",
    path: "/api/vehicles",
    rate: 5000,
    seconds: 10,
    connections: 200,
    plan: (to) => ({ steps: { from: Math.min(50, to), to } }),
  },
  desk: {
    what: "a front desk's day, 30 times as fast: boards, searches, jobs from intake to payment; 6 rounds, the cache of lists off and on in turn",
    path: "/api/services",
    rate: 40,
    seconds: 30,
    connections: 20,
    plan: (rate) => ({ desk: { rate, rounds: 6 } }),
  },
  visits: {
    what: "GET / of the counter; its visits are real ones and stay counted",
    path: "/",
    rate: 100,
    seconds: 60,
    connections: 100,
    plan: steady,
  },
};

/** Every scenario with its description, a line each. */
export const list = (): string =>
  Object.entries(scenarios)
    .map(([name, { what }]) => `${name.padEnd(7)} ${what}`)
    .join("\n");

/** Makes a plan of a scenario's name and a person's options; throws a UserError for a value that is impossible or too high. */
export function makePlan(name: string | undefined, options: Options): Plan {
  const scenario = Object.hasOwn(scenarios, name ?? "") ? scenarios[name ?? ""] : undefined;
  if (!name || !scenario)
    throw new UserError(
      name ? `there is no scenario ${name}` : "no scenario is named",
      `name one of ${Object.keys(scenarios).join(", ")}; npm run load -- --list describes them`,
    );
  const closed = scenario.rate === undefined;
  for (const option of ["rate", "path"] as const)
    if (closed && options[option] !== undefined)
      throw new UserError(
        `${name} takes no --${option}`,
        "its clients send as fast as they are answered, to /api/customers",
      );

  if (name === "desk" && options.path !== undefined)
    throw new UserError("desk takes no --path", "its requests are those of the workshop's pages");

  const rate = options.rate === undefined ? (scenario.rate ?? 0) : Number(options.rate);
  const fastest = name === "desk" ? LIMITS.desk : LIMITS.rate;
  if (!closed && !(rate >= 0.1 && rate <= fastest))
    throw new UserError(`--rate ${options.rate} is not possible`, `requests a second, 0.1 to ${fastest}`);
  const seconds = options.duration === undefined ? scenario.seconds : parseDuration(options.duration);
  const longest = name === "stress" ? LIMITS.step : name === "desk" ? LIMITS.round : LIMITS.seconds;
  if (!(seconds >= 1 && seconds <= longest))
    throw new UserError(
      `--duration ${options.duration} is not possible`,
      `1s to ${longest}s; 90, 90s, 5m and 1h are understood`,
    );
  const connections = options.connections === undefined ? scenario.connections : Number(options.connections);
  const crowd = closed ? LIMITS.clients : LIMITS.connections;
  if (!(Number.isInteger(connections) && connections >= 1 && connections <= crowd))
    throw new UserError(`--connections ${options.connections} is not possible`, `a whole number from 1 to ${crowd}`);
  const path = options.path ?? scenario.path;
  if (!/^\/[\x21-\x7e]{0,1000}$/.test(path))
    throw new UserError(`--path ${path} is no path`, "begin with /, and write other characters than ASCII as %XX");
  const plan: Plan = {
    scenario: name,
    what: scenario.what,
    path,
    seconds,
    connections,
    ...scenario.plan(rate, seconds, connections),
  };
  const requests = (plan.phases ?? []).reduce((all, phase) => all + phase.rate * phase.seconds, 0);
  if (requests > LIMITS.requests)
    throw new UserError(
      `that would be ${Math.round(requests)} requests`,
      `at most ${LIMITS.requests}: take a lower --rate or a shorter --duration`,
    );
  return plan;
}
