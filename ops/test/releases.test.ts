import { expect, test } from "vitest";
import { type LogLine, nextRelease, releaseTable } from "../lib/releases.ts";

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
