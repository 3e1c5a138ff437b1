import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { Transform } from "node:stream";
import { parseArgs } from "node:util";
import { remote, viaLab } from "../cluster/hosts.ts";
import { type Host, hosts, inGroup } from "../cluster/inventory.ts";
import { UserError } from "../lib/cli.ts";
import { parseDuration } from "../lib/duration.ts";
import { capture } from "../lib/exec.ts";
import { outputOf } from "../lib/framing.ts";
import { quote } from "../lib/script.ts";
import { inOrder, type Line, parseJournal, parseNginx, render, traceRequest, tries } from "./lines.ts";
import { findRequest, type Source, searchJournal, sourcesOf } from "./sources.ts";

let all: Host[] = [];

/** Runs the command with its arguments; gives its exit status. */
export async function logs(args: string[]): Promise<number> {
  all = hosts();
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      follow: { type: "boolean", short: "f", default: false },
      request: { type: "string" },
      since: { type: "string" },
      lines: { type: "string", short: "n" },
      json: { type: "boolean", default: false },
    },
  });
  const print = printer(values.json);
  const [name, more] = positionals;
  if (more !== undefined)
    throw new UserError(`${positionals.join(" ")}: one host or service at a time`, "name one, or none");
  if (values.request !== undefined) {
    const other = name ?? (values.follow ? "--follow" : (values.since ?? values.lines));
    if (other !== undefined)
      throw new UserError(`--request takes no ${other}: it searches everywhere, and once`, "leave it out");
    return request(values.request, print, values.json);
  }
  const seconds = parseDuration(values.since ?? "10m");
  if (!(seconds >= 1 && seconds <= 366 * 86_400))
    throw new UserError(`--since ${values.since} is not understood`, "90s, 10m, 2h or 3d, a year at most");
  const lines = Number(values.lines ?? (values.follow ? 10 : 1000));
  if (!(Number.isInteger(lines) && lines >= 0 && lines <= 100_000))
    throw new UserError(`--lines ${values.lines} is not possible`, "a whole number from 0 to 100000");
  const sources = sourcesOf(name, all, { seconds: Math.ceil(seconds), lines, follow: values.follow });
  viaLab([]); // without hosts there are no logs
  if (values.follow) return follow(sources, print);

  const since = Date.now() - seconds * 1000;
  const found = await Promise.all(
    sources.map(async (source) => ({ source, lines: (await read(source)).filter(({ time }) => time >= since) })),
  );
  for (const line of inOrder(found.flatMap((each) => each.lines))) print(line);
  const cut = found.filter((each) => each.lines.length >= lines).map(({ source }) => source.host.name);
  if (cut.length > 0)
    console.error(`only the last ${lines} lines of ${[...new Set(cut)].join(", ")}; --lines shows more`);
  return 0;
}

/** How lines are printed; a reader that has gone away (head) ends this quietly. */
function printer(json: boolean): (line: Line) => void {
  process.stdout.on("error", () => process.exit());
  const widths = { host: Math.max(...all.map(({ name }) => name.length)), service: 8 };
  return ({ time, ...line }) =>
    console.log(
      json
        ? JSON.stringify({
            time: new Date(time).toISOString(),
            host: line.host,
            service: line.service,
            line: line.fields ?? line.text,
          })
        : render({ time, ...line }, widths),
    );
}

function split(output: string, host: Host, parse: Source["parse"]): Line[] {
  return output.split("\n").flatMap((line) => parse(host.name, line) ?? []);
}

function onHost(host: Host, script: string): Promise<string> {
  return capture(remote(host, "sudo", "bash", "-s"), script);
}

/** A source's lines; a host that cannot be reached is named, and the others' are shown. */
async function read({ host, script, parse }: Source): Promise<Line[]> {
  try {
    return split(await onHost(host, script), host, parse);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    console.error(`${host.name}: ${error.message.split(": ").at(-1)}`);
    return [];
  }
}

/** Prints new lines until Ctrl-C, or until every host has gone; leaves no process behind, here or there. */
async function follow(sources: Source[], print: (line: Line) => void): Promise<number> {
  const ended = new AbortController();
  const interrupt = () => ended.abort();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, interrupt);
  await Promise.all(
    sources.map(({ host, script, parse }) => {
      // The far end lives as long as its input is open, which ends with ssh however that ends.
      const script2 = `${script} & reader=$!; cat >/dev/null; kill $reader`;
      const argv = remote(host, "sudo", "bash", "-c", quote(script2));
      const [file = "", ...args] = argv;
      const content = () => {
        const framed = outputOf(argv);
        return new Transform({ transform: (chunk, _, done) => done(null, framed.read(chunk)) });
      };
      const child = spawn(file, args, { stdio: ["pipe", "pipe", "pipe"] });
      child.stdin.on("error", () => {});
      ended.signal.addEventListener("abort", () => child.stdin.end(), { once: true });
      child.stderr.pipe(content()).pipe(process.stderr, { end: false });
      createInterface({ input: child.stdout.pipe(content()) }).on("line", (line) => {
        const parsed = parse(host.name, line);
        if (parsed) print(parsed);
      });
      return new Promise<void>((resolve) => {
        child.on("error", () => resolve());
        child.on("close", () => {
          if (!ended.signal.aborted) console.error(`${host.name}: its log ends here`);
          resolve();
        });
      });
    }),
  );
  return ended.signal.aborted ? 0 : 1;
}

/** Everything that was written about one request, in the order of time. */
async function request(id: string, print: (line: Line) => void, json: boolean): Promise<number> {
  if (!/^[0-9a-f]{32}$/.test(id))
    throw new UserError(
      `${id} is no request's id`,
      "give the X-Request-Id of an answer: 32 characters, 0 to 9 and a to f",
    );
  const found = await Promise.all(
    inGroup("balancers").map(async (host) => split(await onHost(host, findRequest(id)), host, parseNginx)),
  );
  const front = found.flat().filter(({ fields }) => fields?.id === id);
  const [first] = front;
  if (!first?.fields)
    throw new UserError(
      `nginx has no line of the request ${id}`,
      "a log is kept for seven days at most, and of the 429s one in a hundred; is it the id of this cluster's answer?",
    );
  // Around its time: to search a whole day of a busy journal would take minutes.
  const from = Math.floor(first.time / 1000 - Number(first.fields.seconds) - 2);
  const backends = await Promise.all(
    inGroup("backends").map((host) =>
      read({ host, script: searchJournal(id, from, Math.ceil(first.time / 1000 + 5)), parse: parseJournal }),
    ),
  );
  const lines = [...front, ...backends.flat().filter(({ fields }) => fields?.id === id)];
  const nameOf = (address: string) => all.find((host) => host.address === address)?.name;
  for (const line of json ? inOrder(lines) : traceRequest(lines, nameOf)) print(line);
  if (json) return 0;
  const silent = tries(first.fields)
    .map(({ upstream }) => nameOf(upstream.split(":")[0] ?? ""))
    .filter((host, i, asked) => host && asked.indexOf(host) === i && !lines.some((line) => line.host === host));
  for (const host of silent)
    console.log(
      `${host} has no line of it: it never got the request or ended before it was answered, or it was one of more than 100 a second (of which errors and slow ones alone are all logged)`,
    );
  return 0;
}
