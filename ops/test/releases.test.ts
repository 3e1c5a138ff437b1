import { expect, test } from "vitest";
import { nextRelease } from "../lib/releases.ts";
import { type LogLine, linesOf, readLog, releaseTable } from "../releases/table.ts";

const line = (more: Partial<LogLine>): LogLine => ({
  time: "2026-11-21T08:00:00Z",
  what: "deploy",
  release: "B",
  by: "ann@desk",
  message: "",
  result: "done",
  ...more,
});

test("releases are listed newest first, with where they serve and the last that was said of them", () => {
  const table = releaseTable(
    [
      line({}),
      line({ release: "C", result: "failed on backend1: not ready" }),
      line({ what: "rollback", message: "oh" }),
    ],
    [
      { name: "backend1", list: "B serving\nA kept\nC failed\n" },
      { name: "backend2", list: "B serving\nA kept\n" },
      { name: "backend3", list: null },
    ],
  );
  expect(table.split("\n").map((row) => row.split(/ {2,}/))).toEqual([
    ["release", "state", "last changed", "by", "what"],
    ["C", "failed on backend1", "2026-11-21T08:00:00Z", "ann@desk", "deploy; failed on backend1: not ready"],
    ["B", "serving on backend1, backend2", "2026-11-21T08:00:00Z", "ann@desk", "rollback; oh"],
    ["A", "kept", "-", "-", "first release"],
  ]);
});

test("an app's lines are its own; those of an earlier version, without a name, are the first app's", () => {
  const lines = [line({ release: "A" }), line({ release: "B", app: "shop" }), line({ release: "C", app: "demo" })];
  expect(linesOf(lines, "demo", "demo").map(({ release }) => release)).toEqual(["A", "C"]);
  expect(linesOf(lines, "shop", "demo").map(({ release }) => release)).toEqual(["B"]);
});

test("no release and no log is a table with its head only", () => {
  expect(releaseTable([], []).split("\n")).toHaveLength(1);
});

test.each([
  ["no release is known", "", "20261128T120000Z", false],
  ["the newest is older", "20261128T115959Z-abc1234", "20261128T120000Z", false],
  ["another was built in this second", "20261128T120000Z-abc1234", "20261128T120001Z", false],
  ["the newest is of a time to come", "20361231T235959Z-abc1234-changed", "20370101T000000Z", true],
])("a new release is newer by its name when %s", (_, newest, time, said) => {
  const next = nextRelease(new Date("2026-11-28T12:00:00.900Z"), newest);
  expect(next.time).toBe(time);
  expect(next.ahead !== undefined).toBe(said);
});

test("a torn line of the log is left out and counted, and the others are read", () => {
  const whole = JSON.stringify(line({}));
  expect(readLog(`${whole}\n${whole.slice(0, 40)}\nnull\n{"time": "now"}\n${whole}\n`)).toEqual({
    lines: [line({}), line({})],
    torn: 3,
  });
  expect(readLog("")).toEqual({ lines: [], torn: 0 });
});

test("a message stands in its row as it is, and cannot move the terminal's cursor", () => {
  const message = `{{ lookup("pipe","touch /tmp/x") }} {% if ' "$(id)" % Änderung 🚀`;
  const table = releaseTable(
    [line({ message: `${message}\n\u001b[2Jnext\u0085\u202e` })],
    [{ name: "backend1", list: "B serving\n" }],
  );
  expect(table.split("\n")[1]).toContain(`deploy; ${message}\\n\\u001b[2Jnext\\u0085\\u202e`);
});
