import { expect, test } from "vitest";
import { boards } from "../dashboards/boards.ts";
import { dashboard, source } from "../dashboards/panel.ts";

type Place = { x: number; y: number; w: number; h: number };
type Shown = {
  id: number;
  type: string;
  title: string;
  datasource: typeof source;
  gridPos: Place;
  targets: { expr: string; refId: string; legendFormat: string }[];
  fieldConfig: { defaults: { unit: string; thresholds: { steps: { value: number | null; color: string }[] } } };
};
const built = boards.map((board) => JSON.parse(JSON.stringify(dashboard(board))));
const shown = built.flatMap((board): { board: string; panel: Shown }[] =>
  board.panels.map((panel: Shown) => ({ board: board.uid, panel })),
);
const panels = shown.filter(({ panel }) => panel.type !== "row");

test("a dashboard has a uid and a title of its own, and Grafana makes its number", () => {
  expect(built.map(({ uid }) => uid)).toEqual([
    "halo-overview",
    "halo-backends",
    "halo-stores",
    "halo-hosts",
    "halo-releases",
  ]);
  expect(new Set(built.map(({ title }) => title)).size).toBe(built.length);
  expect(built.map(({ id }) => id ?? null)).toEqual(built.map(() => null));
});

test("every panel has a title, a unit, and queries to the provisioned source", () => {
  expect(panels.length).toBeGreaterThan(40);
  for (const { board, panel } of panels) {
    const name = `${board}: ${panel.title}`;
    expect(panel.title, name).toMatch(/\S/);
    expect(panel.fieldConfig.defaults.unit, name).toMatch(/\S/);
    expect(panel.datasource, name).toEqual(source);
    expect(panel.targets.length, name).toBeGreaterThan(0);
    for (const { expr, legendFormat } of panel.targets) expect(expr && legendFormat, name).toMatch(/\S/);
    expect(new Set(panel.targets.map(({ refId }) => refId)).size, name).toBe(panel.targets.length);
  }
});

test("the panels' numbers are unique in their dashboard, and the same each time", () => {
  for (const [i, { uid, panels }] of built.entries()) {
    const ids = panels.map(({ id }: Shown) => id);
    expect(new Set(ids).size, uid).toBe(ids.length);
    expect(JSON.parse(JSON.stringify(dashboard(boards[i] as (typeof boards)[number])))).toEqual(built[i]);
  }
});

test("no two panels of a dashboard overlap, and none leaves the grid", () => {
  for (const { uid, panels } of built) {
    const taken = new Map<string, string>();
    for (const { title, gridPos } of panels as Shown[])
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(x, `${uid}: ${title}`).toBeLessThan(24);
          expect(taken.get(`${x},${y}`), `${uid}: ${title}`).toBe(undefined);
          taken.set(`${x},${y}`, title);
        }
  }
});

test("deploys and drills are marks in every dashboard, at the time that is their value", () => {
  for (const { uid, annotations } of built)
    expect(annotations.list, uid).toEqual(
      ["deploy|rollback", "drill"].map((kinds) =>
        expect.objectContaining({
          datasource: source,
          enable: true,
          useValueForTime: true,
          expr: `halo_event_timestamp_seconds{kind=~"${kinds}"} * 1000`,
        }),
      ),
    );
});

test("a dashboard that asks for $host or $app offers it", () => {
  for (const board of built)
    for (const name of ["host", "app"])
      expect([board.uid, name, JSON.stringify(board.panels).includes(`$${name}`)]).toEqual([
        board.uid,
        name,
        JSON.stringify(board.templating ?? {}).includes(`"${name}"`),
      ]);
});

test("colours go from green to red where much is bad, and from red to green where little is", () => {
  const steps = (title: string) =>
    panels.find(({ panel }) => panel.title === title)?.panel.fieldConfig.defaults.thresholds.steps;
  expect(steps("Errors")).toEqual([
    { value: null, color: "green" },
    { value: 0.01, color: "orange" },
    { value: 0.05, color: "red" },
  ]);
  expect(steps("Disk space free")).toEqual([
    { value: null, color: "red" },
    { value: 0.1, color: "orange" },
    { value: 0.2, color: "green" },
  ]);
});
