import { accessSync, constants, globSync } from "node:fs";
import { delimiter, join } from "node:path";

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
export const redisServer = (): string | undefined => inPath("redis-server") ?? ["/usr/bin/redis-check-rdb"].find(runs);

/** The folder of PostgreSQL's programs; Debian keeps the server's out of PATH. */
export function postgresFolder(): string | undefined {
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

/** Those programs that this machine has not, and the command that installs them. */
export function missing(programs: string[]): { programs: string[]; install: string } {
  const found = (program: string) =>
    program === "redis-server" ? redisServer() : program === "postgres" ? postgresFolder() : inPath(program);
  const absent = programs.filter((program) => !found(program));
  const names = absent.map((program) => packages[program] ?? program);
  return { programs: absent, install: `apt-get install --no-install-recommends ${[...new Set(names)].join(" ")}` };
}
