/** Reads the logs' lines and prints them for a person. No effects: everything comes in as values. */

/** One line of a log; time in Unix ms. `text` is the line as it was written, `fields` its values if it is JSON. */
export type Line = { time: number; host: string; service: string; text: string; fields?: Record<string, unknown> };

const services: [RegExp, string][] = [
  [/^redis-server$/, "redis"],
  [/^postgresql(@.*)?$/, "postgres"],
  [/^prometheus-alertmanager$/, "alertmanager"],
  [/^halo-backup$/, "backup"],
];

/** A unit's name as `npm run logs` calls it: halo@demo.service and halo-cron@demo.clean.service are demo, postgresql@17-main.service postgres. */
export function serviceOf(unit: string): string {
  const name = unit.replace(/\.service$/, "");
  const [, app] = name.match(/^halo(?:-candidate|-cron)?@([^.]+)/) ?? [];
  return app ?? services.find(([pattern]) => pattern.test(name))?.[1] ?? name;
}

const INSTANT = /^\d{4}-\d\d-\d\dT.*(?:Z|[+-]\d\d:?\d\d)$/;

function parseFields(text: string): Line["fields"] {
  if (!text.startsWith("{")) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Reads a line of `journalctl --output=json`; undefined for any other text. */
export function parseJournal(host: string, line: string): Line | undefined {
  const entry = parseFields(line);
  if (!entry) return undefined;
  const { MESSAGE, __REALTIME_TIMESTAMP, UNIT, _SYSTEMD_UNIT } = entry;
  // Text that is not UTF-8 comes as a list of bytes.
  const text = Array.isArray(MESSAGE) ? Buffer.from(MESSAGE).toString() : String(MESSAGE ?? "");
  const fields = parseFields(text);
  // An app's time may be a duration, or a local time without its zone.
  const own = typeof fields?.time === "string" && INSTANT.test(fields.time) ? Date.parse(fields.time) : Number.NaN;
  const time = own || Number(__REALTIME_TIMESTAMP) / 1000;
  return {
    time,
    host,
    service: serviceOf(String(UNIT ?? _SYSTEMD_UNIT ?? "system")),
    text,
    ...(fields ? { fields } : {}),
  };
}

/** Reads a line of nginx's access log (JSON) or error log (in UTC, as its unit says); undefined for any other text. */
export function parseNginx(host: string, line: string): Line | undefined {
  const text = line.replaceAll("\0", ""); // a power cut leaves NULs
  const fields = parseFields(text);
  if (fields) {
    const time = typeof fields.ended === "number" ? fields.ended * 1000 : Date.parse(String(fields.time));
    return { time, host, service: "nginx", text, fields };
  }
  const [, date, clock] = text.match(/^(\d{4}\/\d\d\/\d\d) (\d\d:\d\d:\d\d) /) ?? [];
  if (!date) return undefined;
  return { time: Date.parse(`${date.replaceAll("/", "-")}T${clock}Z`), host, service: "nginx", text };
}

/** One try of a request at an upstream; seconds until its end, undefined where nginx has no time for it. */
export type Try = { upstream: string; status: string; connect?: number; seconds?: number };

/** Every try of a line of nginx's access log, in their order. */
export function tries(fields: Record<string, unknown>): Try[] {
  const list = (name: string) =>
    String(fields[name] ?? "")
      .split(/, | : /)
      .filter(Boolean);
  const number = (text?: string) => (text === undefined || text === "-" ? undefined : Number(text));
  const [statuses, connects, all] = [list("upstream_status"), list("upstream_connect"), list("upstream_seconds")];
  return list("upstream").map((upstream, i) => ({
    upstream,
    status: statuses[i] ?? "-",
    connect: number(connects[i]),
    seconds: number(all[i]),
  }));
}

const ms = (seconds?: number) => (seconds === undefined ? "-" : `${Math.round(seconds * 1000)} ms`);

/**
 * One request's lines: nginx's one becomes its beginning, each try, and its end; all in the order of time.
 *
 * @param nameOf the host that has an address
 */
export function traceRequest(lines: Line[], nameOf: (address: string) => string | undefined): Line[] {
  const ends: Line[] = [];
  const described = lines.flatMap((line): Line[] => {
    const { fields } = line;
    if (line.service !== "nginx" || !fields) return [line];
    const begun = line.time - Number(fields.seconds) * 1000;
    let at = begun;
    const say = (time: number, text: string): Line => ({ time, host: line.host, service: line.service, text });
    const all = tries(fields);
    // Of one ms the end is the last.
    ends.push(
      say(line.time, `answered ${fields.status} with ${fields.bytes} bytes after ${ms(Number(fields.seconds))}`),
    );
    return [
      say(
        begun,
        `${fields.method} http://${fields.host}${fields.uri} from ${fields.client} (${fields.agent || "no agent"})`,
      ),
      ...all.map((each, i) => {
        const name = nameOf(each.upstream.split(":")[0] ?? "");
        const started = at;
        at += (each.seconds ?? 0) * 1000;
        return say(
          started,
          `try ${i + 1} of ${all.length}: ${name ? `${name} ` : ""}${each.upstream}: ${outcome(each)} after ${ms(each.seconds)} (connected in ${ms(each.connect)})`,
        );
      }),
    ];
  });
  return inOrder([...described, ...ends]);
}

const outcome = ({ status }: Try): string =>
  ({ "502": "502, no answer", "504": "504, no answer in time", "-": "left alone" })[status] ?? status;

/** Lines in the order of time; those of one moment stay as they came. */
export const inOrder = (lines: Line[]): Line[] => lines.toSorted((a, b) => a.time - b.time);

const levels: Record<number, string> = { 10: "trace", 20: "debug", 30: "info", 40: "warn", 50: "error", 60: "fatal" };

/** A line as a person reads it: time (UTC), host, service, and its text with JSON fields as name=value. */
export function render({ time, host, service, text, fields }: Line, widths = { host: 8, service: 5 }): string {
  const clock = new Date(time).toISOString().replace("T", " ").slice(5, 23);
  const head = `${clock} ${host.padEnd(widths.host)} ${service.padEnd(widths.service)} `;
  return head + harmless(fields ? say(service, fields) : text);
}

/** Text that a client sent must not steer the reader's terminal. */
const harmless = (text: string): string =>
  text.replace(/\p{Cc}/gu, (c) => (c === "\t" ? c : `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`));

function say(service: string, fields: Record<string, unknown>): string {
  const { time: _, pid: __, level, msg, method, status, id, ...rest } = fields;
  const pairs = (values: Record<string, unknown>) =>
    Object.entries(values).map(
      ([name, value]) => `${name}=${typeof value === "object" ? JSON.stringify(value) : value}`,
    );
  const words: unknown[] = [];
  if (service === "nginx") {
    const { host, uri, client, seconds, upstream, upstream_status, ended: ___, site: ____, ...others } = rest;
    const answers = tries(fields).map((each) => `${each.upstream} ${outcome(each)} ${ms(each.seconds)}`);
    words.push(method, `${host}${uri}`, status, ms(Number(seconds)), `from ${client}`);
    if (upstream) words.push(`by ${answers.join(", then ")}`);
    delete others.upstream_connect;
    delete others.upstream_seconds;
    words.push(...pairs(others));
  } else if (method !== undefined) {
    const { path, ms: took, client: ___, ...others } = rest;
    words.push(method, path, status, `${took} ms`, ...pairs(others));
  } else {
    const name = levels[Number(level)] ?? level;
    words.push(...(name === undefined || name === "info" ? [] : [`${name}:`]), msg, ...pairs(rest));
  }
  if (id !== undefined) words.push(`id=${id}`);
  return words.filter((word) => word !== undefined && word !== "").join(" ");
}
