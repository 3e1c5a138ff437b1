import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { expect, test } from "vitest";
import { root } from "../lib/paths.ts";

// The shared rooms, each with the rooms that it may import from. Every other folder of ops belongs to its commands.
const shared: Record<string, string[]> = {
  lib: [],
  loopback: ["lib"],
  web: ["lib"],
  tls: ["lib"],
  cluster: ["lib"],
  loadgen: ["lib", "cluster"],
  build: ["lib", "cluster", "web"],
};
const below = Object.keys(shared);

const files = globSync(["ops/**/*.ts", "bench/**/*.ts"], { cwd: root }).filter((file) => !file.startsWith("ops/test/"));
const pattern = /(?:\bfrom|^import|\bimport\(|new URL\()\s*"(\.[^"]+\.ts)"/gm;
const importsOf = (file: string): string[] =>
  [...readFileSync(join(root, file), "utf8").matchAll(pattern)].map(([, path = ""]) =>
    normalize(join(dirname(file), path)),
  );

/** A folder of ops by its name, "command" for a file in ops itself, "bench", or the top folder of anything else. */
function roomOf(file: string): string {
  const [top = "", folder = "", inside] = file.split("/");
  if (top !== "ops") return top;
  return inside === undefined ? "command" : folder;
}

/** Whether a file of one room may import from another one. */
function allowed(from: string, to: string): boolean {
  if (from === to) return from !== "command";
  if (to === "command" || to === "test") return false;
  if (from in shared) return shared[from]?.includes(to) || (from === "loopback" && to === "app");
  if (below.includes(to) || from === "command") return true;
  // The dashboards show the metrics page's bounds, and diagnose gives its advice; the benches do the service's work, and use the rows of
  // `npm run seed`.
  return (["dashboards", "diagnose", "bench"].includes(from) && to === "app") || (from === "bench" && to === "seed");
}

test("every import leads to the same room or a lower one, and no command imports from another one's room", () => {
  expect(files.length).toBeGreaterThan(50);
  const wrong = files.flatMap((file) =>
    importsOf(file).flatMap((other) => (allowed(roomOf(file), roomOf(other)) ? [] : [`${file} imports ${other}`])),
  );
  expect(wrong).toEqual([]);
});

test("no file imports itself, by whatever way", () => {
  const all = [...files, ...globSync(["app/src/**/*.ts", "app/web/**/*.ts"], { cwd: root })];
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, path: string[]): void => {
    if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(" -> "));
    if (done.has(file)) return;
    done.add(file);
    for (const other of importsOf(file)) if (all.includes(other)) visit(other, [...path, file]);
  };
  for (const file of all) visit(file, []);
  expect(circles).toEqual([]);
});

test("a command's file imports from one room of commands at most", () => {
  const rooms = files
    .filter((file) => roomOf(file) === "command")
    .map((file) => [file, [...new Set(importsOf(file).map(roomOf))].filter((room) => !below.includes(room))] as const);
  expect(rooms.filter(([, own]) => own.length > 1)).toEqual([]);
});
