import { isIP } from "node:net";
import { hostname } from "node:os";
import { z } from "zod";

/** sysexits.h EX_CONFIG: the exit status alone shows that the configuration is wrong. */
export const EXIT_CONFIG = 78;

const SECRETS = new Set(["REDIS_PASSWORD", "PGPASSWORD"]);

const whole = (min: number, max: number) => {
  const expected = `a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,9}$/, expected)
    .transform(Number)
    .refine((n) => n >= min && n <= max, expected);
};

const integer = (min: number, max: number, fallback: number) => whole(min, max).default(fallback);

const MAX_WORKERS = 64;

const host = z.string().regex(/^[A-Za-z0-9_.:-]{1,253}$/, "an address or a host name");

const isAddressOrRange = (text: string) => {
  const [address = "", bits, ...rest] = text.split("/");
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128));
};

const schema = z
  .object({
    HALO_HOST: host.default("127.0.0.1"),
    HALO_PORT: integer(1, 65_535, 3000),
    HALO_NAME: z
      .string()
      .regex(/^[\x21-\x7e]{1,128}$/, "a name of 1 to 128 printable ASCII characters without spaces")
      .default(() => hostname()),
    REDIS_HOST: host.default("127.0.0.1"),
    REDIS_PORT: integer(1, 65_535, 6379),
    REDIS_USERNAME: z.string().optional(),
    REDIS_PASSWORD: z.string().optional(),
    // Without it the service has no workshop.
    PGHOST: host.optional(),
    PGPORT: integer(1, 65_535, 5432),
    PGDATABASE: z.string().default("halo"),
    PGUSER: z.string().default("halo"),
    PGPASSWORD: z.string().optional(),
    PG_POOL_MAX: integer(1, 100, 8),
    // Whether /api answers a person alone whose login the balancer has checked.
    WORKSHOP_LOGIN: z.enum(["on", "off"]).default("off"),
    // Whether this process answers lists from its memory (workshop/listCache.ts).
    WORKSHOP_CACHE: z.enum(["on", "off"]).default("on"),
    TRUSTED_PROXIES: z
      .string()
      .default("127.0.0.1,::1")
      .transform((list) => list.split(",").map((item) => item.trim()))
      .refine((list) => list.every(isAddressOrRange), "a comma-separated list of addresses or CIDR ranges"),
    LOG_LEVEL: z.enum(["fatal", "error", "warn", "info", "debug", "silent"]).default("info"),
    LOG_REQUESTS_PER_SECOND: integer(0, 100_000, 100),
    LAME_DUCK_MS: integer(0, 60_000, 500),
    SHUTDOWN_DEADLINE_MS: integer(100, 600_000, 8000),
    HALO_WORKERS: integer(1, MAX_WORKERS, 1),
    // The first worker's port; each further worker has the next one. Without it only the service's own port has metrics.
    HALO_METRICS_PORT: whole(1, 65_536 - MAX_WORKERS).optional(),
    // PM2's number of this worker. A malformed number must not prevent its start.
    NODE_APP_INSTANCE: whole(0, MAX_WORKERS - 1).catch(0),
  })
  .refine((v) => v.REDIS_USERNAME === undefined || v.REDIS_PASSWORD !== undefined, {
    path: ["REDIS_PASSWORD"],
    error: "a password, because REDIS_USERNAME is set",
  });

/** The service's configuration from its environment; times are in milliseconds. */
export type Config = z.output<typeof schema>;

/** Thrown by {@link readConfig}; the message has one line for each wrong variable. */
export class ConfigError extends Error {
  override name = "ConfigError";
}

/**
 * Validates the environment. An empty variable counts as unset.
 *
 * @throws {ConfigError} names each wrong variable with its value (never a secret) and the expected one
 */
export function readConfig(env: Record<string, string | undefined>): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""));
  const result = schema.safeParse(given);
  if (result.success) return result.data;

  const lines = result.error.issues.map((issue) => {
    const name = String(issue.path[0]);
    const value = given[name];
    const shown = value === undefined ? "nothing" : SECRETS.has(name) ? "a secret (hidden)" : JSON.stringify(value);
    const expected = issue.code === "invalid_value" ? `one of ${issue.values.join(", ")}` : issue.message;
    return `  ${name}: expected ${expected}, got ${shown}`;
  });
  throw new ConfigError(["Halo cannot start, the configuration is wrong:", ...new Set(lines)].join("\n"));
}
