import { execFile } from "node:child_process";
import type { TestProject } from "vitest/node";
import { PostgresServer } from "../../../../ops/loopback/postgres.ts";
import { NODE, ROOT } from "./service.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The data folder of a stopped PostgreSQL with the roles, the schema and the migrations of the hosts. */
    postgres: string;
  }
}

/** Makes the database's folder and fills the compile cache once; each test file would do it again. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // Tests kill most services, and only a process that exits by itself fills the compile cache. This one ends with a wrong setting.
  const warm = new Promise((resolve) => {
    execFile(NODE, [`${ROOT}app/src/main.ts`], { env: { ...process.env, HALO_PORT: "none" } }, resolve);
  });
  const [postgres] = await Promise.all([PostgresServer.create(), warm]);
  await postgres.signal("SIGINT");
  project.provide("postgres", postgres.data);
  return () => postgres.destroy();
}
