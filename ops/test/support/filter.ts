import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect } from "vitest";

export const plugins = join(import.meta.dirname, "../../../ansible/filter_plugins");

/** Calls a filter of ansible/filter_plugins once for each list of arguments, which are sent as JSON. */
export function filterEach<T>(file: string, name: string, lists: unknown[][]): T[] {
  const program = join(import.meta.dirname, "../programs/filter.py");
  const { stdout, stderr } = spawnSync("/usr/bin/python3", ["-I", program, plugins, file, name], {
    input: JSON.stringify(lists),
    encoding: "utf8",
  });
  expect(stderr).toBe("");
  return JSON.parse(stdout);
}

/** The same once. */
export const filter = <T>(file: string, name: string, ...args: unknown[]): T =>
  filterEach<T>(file, name, [args])[0] as T;
