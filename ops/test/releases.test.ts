import { expect, test } from "vitest";
import { type LogLine, releaseTable } from "../lib/releases.ts";

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
