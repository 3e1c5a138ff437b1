import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect } from "vitest";

export const plugins = join(import.meta.dirname, "../../../ansible/filter_plugins");

/** Calls a filter of ansible/filter_plugins with arguments as JSON; `file` is its module. */
export const filter = <T>(file: string, name: string, ...args: unknown[]): T => run([file, name], args);

/** The same for many calls, in one process. */
export const filterEach = <T>(file: string, name: string, calls: unknown[][]): T[] => run([file, name, "each"], calls);

function run<T>(args: string[], input: unknown): T {
  const program = join(import.meta.dirname, "../programs/filter.py");
  const { stdout, stderr } = spawnSync("/usr/bin/python3", ["-I", "-S", program, plugins, ...args], {
    input: JSON.stringify(input),
    encoding: "utf8",
  });
  expect(stderr).toBe("");
  return JSON.parse(stdout);
}
