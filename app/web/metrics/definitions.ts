// The metrics of the page: their lines as queries over the recording rules, their units and their limits.

export type Unit = "per second" | "seconds" | "ratio" | "bytes" | "bytes per second" | "connections" | "days";

/** A line of a metric, or one for each host; `over` aggregates the samples between two points of a long range. */
type Line = {
  name: string;
  rule: string;
  over: "avg" | "max" | "min";
  query: (rule: string) => string;
  dashed?: boolean;
  /** The rule with the same of one app; a line without it is the same for each app. */
  ofApp?: string;
};

export type Metric = {
  id: string;
  title: string;
  unit: Unit;
  lines: Line[];
  /** The large value: of the first line, of the host with the highest or the lowest value, or of two lines. */
  pick: "first" | "most" | "least" | "both directions" | "first of second";
  /**
   * Above the first limit a value is bad, above the second one worse; with `low`, below them. With `pick` "first of second" they
   * are shares of the second line.
   */
  limits: number[];
  low?: boolean;
  /** The smallest range of the scale, so that small noise appears small and the limits are visible. */
  scale: [number, number];
  log?: boolean;
  about: string;
  /** The alerts whose reason this metric shows. */
  alerts: string[];
};

/** The metrics' limits: the thresholds of the alerts, see templates/rules.yml in Ansible's roles. */
export const limits = {
  p95: [0.2],
  errors: [0.01, 0.05],
  database: [0.01],
  cpu: [0.6, 0.9],
  disk: [0.2, 0.1],
  connections: [0.9],
  certificate: [21, 7],
};

const whole = (name: string, rule: string, over: Line["over"], ofApp?: string): Line => ({
  name,
  rule,
  over,
  ...(ofApp && { ofApp }),
  query: (value) => `max(${value})`,
});
const byHost = (rule: string, over: Line["over"], ofApp?: string): Line => ({
  name: "",
  rule,
  over,
  ...(ofApp && { ofApp }),
  query: (value) => `${over === "min" ? "min" : "max"} by (host) (${value})`,
});

/** The site's line with a line for each backend; of an app, its own line with its part of each backend. */
const ofVisitors = (value: string, over: Line["over"]): Line[] => [
  whole("site", `site:${value}`, over, `app:${value}`),
  byHost(`backend:${value}`, over, `app_host:${value}`),
];

export const metrics: Metric[] = [
  {
    id: "requests",
    title: "Requests",
    unit: "per second",
    lines: ofVisitors("requests:rate1m", "avg"),
    pick: "first",
    limits: [],
    scale: [0, 1],
    about: "at the balancer, and at each backend",
    alerts: ["BackendDown", "BackendIdle", "AppDown", "NginxDown"],
  },
  {
    id: "p95",
    title: "Response time, p95",
    unit: "seconds",
    lines: ofVisitors("latency_seconds:p95_1m", "max"),
    pick: "first",
    limits: limits.p95,
    scale: [0.001, 1],
    log: true,
    about: "19 of 20 requests are answered faster",
    alerts: ["SiteSlow", "AppSlow"],
  },
  {
    id: "errors",
    title: "Errors",
    unit: "ratio",
    lines: ofVisitors("errors:ratio1m", "max"),
    pick: "first",
    limits: limits.errors,
    scale: [0, 0.06],
    about: "answers with a status of 500 or more",
    alerts: ["SiteErrors", "SiteErrorsCritical", "AppErrors", "RedisDown"],
  },
  {
    id: "database",
    title: "Database latency",
    unit: "seconds",
    lines: [
      whole("mean", "database:latency_seconds:mean1m", "max"),
      { ...whole("p95", "database:latency_seconds:p95_1m", "max"), dashed: true },
    ],
    pick: "first",
    limits: limits.database,
    scale: [0.0001, 0.1],
    log: true,
    about: "PostgreSQL, as the service has it",
    alerts: ["DatabaseSlow", "PostgresDown"],
  },
  {
    id: "cpu",
    title: "CPU",
    unit: "ratio",
    lines: [byHost("host:cpu:ratio1m", "max")],
    pick: "most",
    limits: limits.cpu,
    scale: [0, 1],
    about: "of a host, by all of its processes",
    alerts: ["CpuHigh", "CpuSaturated", "CpuThrottled", "CpuSteal"],
  },
  {
    id: "memory",
    title: "Memory of the service",
    unit: "bytes",
    lines: [byHost("backend:memory:bytes", "max", "app_host:memory:bytes")],
    pick: "most",
    limits: [],
    scale: [0, 128 * 2 ** 20],
    about: "of a backend, all of its workers",
    alerts: ["MemoryGrowing", "AppMemory"],
  },
  {
    id: "disk",
    title: "Disk space free",
    unit: "ratio",
    lines: [byHost("disk:free:ratio", "min")],
    pick: "least",
    limits: limits.disk,
    low: true,
    scale: [0, 1],
    about: "of a host, on its fullest file system",
    alerts: ["DiskLow", "DiskCritical", "RedisPersistenceFailing"],
  },
  {
    id: "network",
    title: "Network",
    unit: "bytes per second",
    lines: ["in", "out"].map((direction) => ({
      ...byHost(`host:network_bytes:rate1m{direction="${direction}"}`, "avg"),
      name: direction,
      dashed: direction === "out",
    })),
    pick: "both directions",
    limits: [],
    scale: [0, 10_000],
    about: "of all hosts; outgoing traffic is dashed",
    alerts: [],
  },
  {
    id: "connections",
    title: "Database connections",
    unit: "connections",
    lines: [
      whole("in use", "database:connections:used", "max"),
      { ...whole("allowed", "pg_settings_max_connections", "max"), dashed: true },
    ],
    pick: "first of second",
    limits: limits.connections,
    scale: [0, 10],
    about: "in use, of all that PostgreSQL allows",
    alerts: ["PoolExhausted"],
  },
  {
    id: "cache",
    title: "Lists from memory",
    unit: "ratio",
    lines: [whole("site", "cache:hits:ratio5m", "avg"), byHost("backend:cache_hits:ratio5m", "avg")],
    pick: "first",
    limits: [],
    scale: [0, 1],
    about: "of the workshop's lists; the others are read from PostgreSQL",
    alerts: [],
  },
  {
    id: "certificate",
    title: "Certificates",
    unit: "days",
    lines: [
      {
        name: "",
        rule: "certificate:left:days",
        over: "min",
        // One that lives for days has a bound of its own, which the alerts and npm run diagnose know.
        query: (value) =>
          `min by (host) (label_replace(${value} and on (site) (certificate:bound:days == 21), "host", "$1", "site", "(.+)"))`,
      },
    ],
    pick: "least",
    limits: limits.certificate,
    low: true,
    scale: [0, 30],
    about: "until a site's certificate expires",
    alerts: ["CertificateExpiring", "CertificateExpiringSoon", "CertificateRenewalFailed", "CertificateUnread"],
  },
];

/**
 * One query for every line of every metric; the label `line` identifies a line.
 *
 * @param step seconds between two points
 * @param app the app that is shown; "" for all of them
 */
export function combinedQuery(step: number, app = ""): string {
  const lines = metrics.flatMap(({ id, lines }) => lines.map((line, i) => ({ ...line, id: `${id} ${i}` })));
  const releases = { id: "release", rule: BEGAN, ofApp: BEGAN, over: "min", query: byRelease };
  return [...lines, releases]
    .map(({ id, rule, ofApp, over, query }) => {
      const asked = app && ofApp ? `${ofApp}{app="${app}"}` : rule;
      const value = step > 30 ? `${over}_over_time(${asked}[${step}s])` : asked;
      return `label_replace(${query(value)}, "line", "${id}", "", "")`;
    })
    .join(" or ");
}
/** The time at which a release began, so that its mark has the same one in every range. */
const BEGAN = "release:began:seconds";
const byRelease = (value: string) => `min by (app, release) (${value})`;

const digits = (value: number) => {
  const size = Math.abs(value);
  return value.toLocaleString("en", { maximumFractionDigits: size >= 100 ? 0 : size >= 10 ? 1 : 2 });
};

/** A value as text: [number, unit]; [–, ""] without one. */
export function formatValue(value: number | null | undefined, unit: Unit): [string, string] {
  if (value === null || value === undefined || !Number.isFinite(value)) return ["–", ""];
  if (unit === "per second") return [digits(value), "/s"];
  if (unit === "seconds") return value < 1 ? [digits(value * 1e3), "ms"] : [digits(value), "s"];
  if (unit === "ratio") return [digits(value * 100), "%"];
  if (unit === "connections") return [digits(value), ""];
  if (unit === "days") return [digits(Math.floor(value)), "days"];
  const binary = unit === "bytes";
  const base = binary ? 1024 : 1000;
  const names = binary ? ["B", "KiB", "MiB", "GiB"] : ["B/s", "kB/s", "MB/s", "GB/s"];
  const power = Math.min(3, Math.max(0, Math.floor(Math.log(Math.max(value, 1)) / Math.log(base))));
  return [digits(value / base ** power), names[power] ?? ""];
}

/** How many limits a value exceeds: 0 well, 1 bad, 2 worse; null without a value or a limit. */
export function exceededLimits({ limits, low }: Metric, value: number | null | undefined): number | null {
  if (value === null || value === undefined || limits.length === 0) return null;
  return limits.filter((limit) => (low ? value < limit : value > limit)).length;
}
