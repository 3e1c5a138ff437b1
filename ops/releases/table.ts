/** A line of the balancer's log of deploys. */
export type LogLine = {
  time: string;
  what: "deploy" | "rollback";
  /** Lines of an earlier version, which had one app, have none. */
  app?: string;
  release: string;
  by: string;
  message: string;
  backends?: string[];
  result: string;
};

/** Reads the log of deploys, oldest line first; a line that a crash or a hand has torn is left out, and counted. */
export function readLog(text: string): { lines: LogLine[]; torn: number } {
  const all = text.split("\n").filter(Boolean);
  const lines = all.map(readLine).filter((line) => line !== null);
  return { lines, torn: all.length - lines.length };
}

function readLine(text: string): LogLine | null {
  try {
    const line = JSON.parse(text);
    const whole = ["time", "what", "release", "by", "message", "result"].every((key) => typeof line[key] === "string");
    return whole ? line : null;
  } catch {
    return null;
  }
}

/** The lines about an app. `first` is the app that a line without a name is about. */
export const linesOf = (lines: LogLine[], app: string, first: string): LogLine[] =>
  lines.filter((line) => (line.app ?? first) === app);

/** A text as one line that a terminal only shows: control characters, line breaks and turns of the writing direction are escaped. */
const plain = (text: string): string =>
  text.replace(
    /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu,
    (char) =>
      ({ "\n": "\\n", "\t": "\\t", "\r": "\\r" })[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );

/**
 * Draws the releases as a table, newest first.
 *
 * @param log the log of deploys, oldest line first
 * @param backends the output of `halo-release APP list` on each: lines "ID serving|kept|failed"; null where it was not asked
 */
export function releaseTable(log: LogLine[], backends: { name: string; list: string | null }[]): string {
  const states = new Map<string, Map<string, string[]>>();
  for (const { name, list } of backends)
    for (const line of (list ?? "").trim().split("\n").filter(Boolean)) {
      const [id = "", state = ""] = line.split(" ");
      const of = states.get(id) ?? new Map<string, string[]>();
      of.set(state, [...(of.get(state) ?? []), name]);
      states.set(id, of);
    }
  const rows = [...states]
    .toSorted(([a], [b]) => (a < b ? 1 : -1))
    .map(([id, of]) => {
      const last = log.findLast(({ release }) => release === id);
      const state = ["serving", "failed", "kept"].find((each) => of.has(each)) ?? "";
      return [
        id,
        state === "kept" ? "kept" : `${state} on ${of.get(state)?.join(", ")}`,
        last?.time ?? "-",
        last?.by ?? "-",
        last
          ? [last.what, last.result === "done" ? "" : last.result, last.message].filter(Boolean).join("; ")
          : "first release",
      ];
    });
  const all = [["release", "state", "last changed", "by", "what"], ...rows].map((row) => row.map(plain));
  const widths = [0, 1, 2, 3].map((i) => Math.max(...all.map((row) => row[i]?.length ?? 0)));
  return all
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
