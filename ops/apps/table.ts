import type { App } from "../cluster/apps.ts";
import { type Site, secureUrlOf, urlOf } from "../cluster/sites.ts";

/** An app on one host, as state.py prints it; bytes, and null for an unknown part. */
export type AppState = {
  host: string;
  app: string;
  release: string | null;
  /** The HTTP status at its health path, 0 without an answer; null for a static app. */
  status: number | null;
  memory: number | null;
  limit: number | null;
};

/** Reads the lines of state.py on one host. */
export function readStates(host: string, text: string): AppState[] {
  const number = (word = "-") => (/^\d+$/.test(word) ? Number(word) : null);
  return text
    .split("\n")
    .map((line) => line.split(" "))
    .filter((words) => words.length === 5)
    .map(([app = "", release, status, memory, limit]) => ({
      host,
      app,
      release: release === "-" ? null : (release ?? null),
      status: number(status),
      memory: number(memory),
      limit: number(limit),
    }));
}

/** The state of an app on a host that cannot be asked: it is not ready there. */
export const noAnswer = (host: string, app: string, runs: boolean): AppState => ({
  host,
  app,
  release: null,
  status: runs ? 0 : null,
  memory: null,
  limit: null,
});

const mebibytes = (bytes: number) => Math.round(bytes / 2 ** 20);

/** The release that all hosts serve, or each one with its hosts. */
function releaseOf(states: AppState[]): string {
  const hosts = Map.groupBy(
    states.filter(({ release }) => release !== null),
    ({ release }) => release,
  );
  const [only] = hosts.keys();
  if (hosts.size <= 1) return only ?? "-";
  return [...hosts].map(([release, of]) => `${release} (${of.map(({ host }) => host).join(", ")})`).join(", ");
}

/** On how many of its hosts it answers 200 to 399. */
function readyOf(states: AppState[]): string {
  const asked = states.filter(({ status }) => status !== null);
  if (asked.length === 0) return "-";
  return `${asked.filter(({ status }) => status !== null && status >= 200 && status < 400).length} of ${asked.length}`;
}

/** The memory on the host where it is highest, and its limit. */
function memoryOf(states: AppState[]): string {
  const [most] = states
    .flatMap(({ memory, limit }) => (memory === null ? [] : [{ memory, limit }]))
    .toSorted((a, b) => b.memory - a.memory);
  if (!most) return "-";
  return `${mebibytes(most.memory)}${most.limit === null ? "" : ` of ${mebibytes(most.limit)}`} MiB`;
}

/** The apps as columns with a head: the release, the ready hosts and the memory of each, its sites, its port and its source. */
export function appTable(all: App[], sites: Site[], states: AppState[]): string {
  const rows = all.map(({ name, domains, port, runs, source }) => {
    const own = sites.filter(({ service, domain }) => service === name || domains.includes(domain));
    const mine = states.filter(({ app }) => app === name);
    const answers = own.map((site) => secureUrlOf(site) ?? urlOf(site)).join(", ") || "-";
    return [name, releaseOf(mine), readyOf(mine), memoryOf(mine), answers, runs ? `${port}` : "static", source];
  });
  const lines = [["app", "release", "ready", "memory", "answers", "port", "source"], ...rows];
  const widths = [0, 1, 2, 3, 4, 5].map((column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((text, i) => text.padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
