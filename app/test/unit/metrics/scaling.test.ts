import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { rules } from "../../../../test/lib/alerts.ts";
import { adviceOn, loadQueries, wantedBackends } from "../../../web/metrics/scaling.ts";

test.each([
  [1, 0.7, 2],
  [2, 0.3, 1],
  [2, 0.6, 2],
  [2, 0.601, 3],
  [2, 1, 4],
  [3, 0.4, 2], // 1.2 / 0.6, which is more than 2 in binary
  [3, 0.41, 3],
  [6, 0.6, 6],
  [4, 0, 0],
])("%i backends whose CPUs are busy by %d on average: %i are wanted", (current, mean, wanted) => {
  expect(wantedBackends(current, mean)).toBe(wanted);
});

test("more are advised for a load that lasts, by the lowest value of 15 minutes", () => {
  expect(adviceOn(2, { steady: 1.56, peak: 1.9 })).toBe(
    "3 backends instead of 2: for 15 minutes their CPUs were at least 78 % busy on average, and the target is 60 % " +
      "(backends:cpu:sum5m of Prometheus). Next: npm run scale -- backends=3",
  );
  expect(adviceOn(2, { steady: 1.2, peak: 1.9 })).toBeUndefined();
  // A load of minutes, and one that nobody has known for long enough.
  for (const steady of [0.9, undefined]) expect(adviceOn(2, { steady, peak: 1.9 })).toBeUndefined();
  // Once a third one has taken its share the same load needs no fourth.
  expect(adviceOn(3, { steady: 1.56, peak: 1.9 })).toBeUndefined();
});

test("fewer are advised where they carry the highest load of a day, and never fewer than two", () => {
  expect(adviceOn(4, { steady: 0.1, peak: 1.16 })).toBe(
    "2 backends instead of 4: in the last day these would have been at most 58 % busy on average, and the target is 60 % " +
      "(backends:cpu:sum5m of Prometheus). Next: npm run scale -- backends=2",
  );
  expect(adviceOn(3, { steady: 0.1, peak: 1.21 })).toBeUndefined();
  expect(adviceOn(3, { steady: 0.1 })).toBeUndefined();
  for (const current of [1, 2]) expect(adviceOn(current, { steady: 0, peak: 0 })).toBeUndefined();
});

test("no backend that is measured: no advice", () => expect(adviceOn(0, { steady: 1, peak: 1 })).toBeUndefined());

test("the queries read a rule that exists, and the one that promtool tests", () => {
  const recorded = rules.map((rule) => ("record" in rule ? rule.record : ""));
  for (const query of Object.values(loadQueries))
    expect(query.match(/\w+:\w+:\w+/g)?.filter((name) => !recorded.includes(name))).toEqual([]);
  const tests = readFileSync(new URL("../../../../test/rules/alerts.test.yml", import.meta.url), "utf8");
  expect(tests).toContain(`expr: '${loadQueries.steady}'`);
});
