import { accessSync, constants, globSync } from "node:fs";
import { delimiter, join } from "node:path";
import { UserError } from "./cli.ts";

const path = () => (process.env.PATH ?? "").split(delimiter);

function runs(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The file of a program in PATH. */
const inPath = (program: string): string | undefined =>
  path()
    .map((folder) => join(folder, program))
    .find(runs);

/** Debian's redis-tools holds the whole server, under the name of a tool that is the same program. */
const redisServer = (): string | undefined => inPath("redis-server") ?? ["/usr/bin/redis-check-rdb"].find(runs);

/** The folder of PostgreSQL's programs; Debian keeps the server's out of PATH. */
function postgresFolder(): string | undefined {
  const debian = globSync("/usr/lib/postgresql/*/bin").sort((a, b) => b.localeCompare(a, "en", { numeric: true }));
  return [...debian, ...path()].find((folder) =>
    ["initdb", "postgres", "psql"].every((program) => runs(join(folder, program))),
  );
}

/** Debian's package for each program that the tests or `npm run dev` start. */
const packages: Record<string, string> = {
  ansible: "ansible-core",
  "ansible-lint": "ansible-lint",
  postgres: "postgresql",
  promtool: "prometheus",
  pyflakes3: "pyflakes3",
  "redis-server": "redis-tools",
  shellcheck: "shellcheck",
  vagrant: "vagrant",
  yamllint: "yamllint",
};

/** A program's file; of postgres the folder that has initdb and psql as well. */
const find = (program: string): string | undefined =>
  program === "redis-server" ? redisServer() : program === "postgres" ? postgresFolder() : inPath(program);

/** The problem of somebody who needs programs that this machine has not; undefined where it has all. */
export function lacking(who: string, programs: string[]): UserError | undefined {
  const absent = programs.filter((program) => !find(program));
  if (absent.length === 0) return undefined;
  const names = new Set(absent.map((program) => packages[program] ?? program));
  return new UserError(
    `${who} needs ${absent.join(", ")}, which this machine has not`,
    `as root on Debian or Ubuntu: apt-get install --no-install-recommends ${[...names].join(" ")}`,
  );
}

/** Where a program is, as {@link find} says. @throws {UserError} where it is not */
export function located(program: string): string {
  const place = find(program);
  if (place) return place;
  throw lacking("a server on loopback", [program]);
}
