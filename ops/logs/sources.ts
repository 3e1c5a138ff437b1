import { apps } from "../cluster/apps.ts";
import type { Host } from "../cluster/inventory.ts";
import { serviceLogs } from "../cluster/services.ts";
import { UserError } from "../lib/cli.ts";
import { shellScript } from "../lib/script.ts";
import { type Line, parseJournal, parseNginx } from "./lines.ts";

/** One log of one host: the shell line (as root) that prints it, and how its lines are read. */
export type Source = { host: Host; script: string; parse(host: string, line: string): Line | undefined };

/** The range to read: the last lines, at most so many, of the last so many seconds; with follow, and the lines that come then. */
export type Span = { seconds: number; lines: number; follow: boolean };

function journal(host: Host, units: string[], { seconds, lines, follow }: Span): Source {
  const chosen = units.map((unit) => `--unit='${unit}'`).join(" ");
  const fields = "MESSAGE,UNIT,_SYSTEMD_UNIT";
  const script = `journalctl --quiet --no-pager --all --output=json --output-fields=${fields} ${chosen} --lines=${lines} --since=-${seconds}s${follow ? " --follow" : ""}`;
  return { host, script, parse: parseJournal };
}

const files = (host: Host, names: string[], { lines, follow }: Span): Source => ({
  host,
  // Both of nginx's files exist from its installation on; logrotate leaves the newest of the older ones uncompressed.
  script: follow
    ? `tail --quiet --lines=${lines} --follow=name --retry ${names.join(" ")} 2>/dev/null`
    : names.map((name) => `cat ${name}.1 ${name} 2>/dev/null | tail --lines=${lines}`).join("; "),
  parse: parseNginx,
});

/** Whether a host belongs to one of the groups; every one to all. */
const isIn = (host: Host, groups: string[]) => ["all", ...host.groups].some((group) => groups.includes(group));

/**
 * The logs that a name stands for: a host's journal (Halo's part of it), or a service's on each of its hosts; without a
 * name every host's journal. Throws a UserError with the names that there are.
 */
export function sourcesOf(name: string | undefined, hosts: Host[], span: Span): Source[] {
  const here = Object.entries(serviceLogs()).filter((each) => hosts.some((host) => isIn(host, each[1].hosts)));
  const chosen = hosts.filter((host) => name === undefined || host.name === name);
  if (chosen.length > 0)
    return chosen.map((host) => {
      const units = here.filter((each) => isIn(host, each[1].hosts)).flatMap(([, service]) => service.units);
      return journal(host, units, span);
    });
  const service = here.find(([each]) => each === name)?.[1];
  if (!service)
    throw new UserError(
      `there is no host and no service ${name}`,
      `name one of ${[...hosts.map((host) => host.name), ...here.map(([each]) => each)].join(", ")}`,
    );
  return hosts
    .filter((host) => isIn(host, service.hosts))
    .flatMap((host) => [
      journal(host, service.units, span),
      ...(service.files ? [files(host, service.files, span)] : []),
    ]);
}

/** The shell text that prints nginx's line of a request. */
export const findRequest = (id: string, folder = "/var/log/nginx"): string =>
  shellScript(new URL("find-request.sh", import.meta.url), id, folder);

/** The shell line that prints the apps' lines with a text on a backend, between two Unix times in s. */
export const searchJournal = (text: string, from: number, to: number): string =>
  `journalctl --quiet --no-pager --all --output=json --output-fields=MESSAGE,UNIT,_SYSTEMD_UNIT ${apps()
    .map(({ unit }) => `--unit=${unit}`)
    .join(" ")} --since=@${from} --until=@${to} | grep -F '${text}' || true`;
