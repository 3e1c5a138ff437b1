import { inject } from "vitest";
import { PostgresServer } from "../../../../ops/loopback/postgres.ts";

/** A PostgreSQL of the caller's own, begun as a copy of the one that setup.ts made for all files. */
export const createPostgres = ({ durable = false } = {}): Promise<PostgresServer> =>
  PostgresServer.create({ durable, from: inject("postgres") });
