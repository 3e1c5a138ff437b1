import { hostname } from "node:os";
import { describe, expect, it } from "vitest";
import { readConfig } from "../../src/config.ts";

const failure = (env: Record<string, string>) => {
  try {
    readConfig(env);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("Expected a refusal");
};

describe("readConfig", () => {
  it("has a default for everything", () => {
    expect(readConfig({})).toEqual({
      HALO_HOST: "127.0.0.1",
      HALO_PORT: 3000,
      HALO_NAME: hostname(),
      REDIS_HOST: "127.0.0.1",
      REDIS_PORT: 6379,
      PGPORT: 5432,
      PGDATABASE: "halo",
      PGUSER: "halo",
      PG_POOL_MAX: 8,
      WORKSHOP_LOGIN: "off",
      WORKSHOP_CACHE: "on",
      TRUSTED_PROXIES: ["127.0.0.1", "::1"],
      LOG_LEVEL: "info",
      LOG_REQUESTS_PER_SECOND: 100,
      LAME_DUCK_MS: 500,
      SHUTDOWN_DEADLINE_MS: 8000,
      HALO_WORKERS: 1,
      NODE_APP_INSTANCE: 0,
    });
  });

  it("treats an empty variable as unset", () => {
    expect(readConfig({ HALO_PORT: "", REDIS_USERNAME: "" })).toMatchObject({ HALO_PORT: 3000 });
  });

  it("has a metrics port only with HALO_METRICS_PORT, and starts with any worker number of PM2", () => {
    expect(readConfig({ HALO_METRICS_PORT: "" }).HALO_METRICS_PORT).toBeUndefined();
    expect(readConfig({ HALO_METRICS_PORT: "9500", NODE_APP_INSTANCE: "2" })).toMatchObject({
      HALO_METRICS_PORT: 9500,
      NODE_APP_INSTANCE: 2,
    });
    for (const number of ["64", "-1", "x"]) expect(readConfig({ NODE_APP_INSTANCE: number }).NODE_APP_INSTANCE).toBe(0);
  });

  it("reads lists of addresses and ranges", () => {
    const config = readConfig({ TRUSTED_PROXIES: "192.168.56.10, 10.0.0.0/8,fd00::/8" });
    expect(config.TRUSTED_PROXIES).toEqual(["192.168.56.10", "10.0.0.0/8", "fd00::/8"]);
  });

  it.each([
    ["HALO_PORT", "0"],
    ["HALO_PORT", "65536"],
    ["HALO_PORT", "3000x"],
    ["HALO_HOST", "http://web"],
    ["HALO_NAME", "two words"],
    ["REDIS_PORT", "-1"],
    ["PG_POOL_MAX", "0"],
    ["TRUSTED_PROXIES", "balancer"],
    ["TRUSTED_PROXIES", "10.0.0.0/33"],
    ["LOG_LEVEL", "loud"],
    ["LAME_DUCK_MS", "0.5"],
    ["HALO_WORKERS", "0"],
    ["HALO_METRICS_PORT", "65500"],
  ])("refuses %s=%s with its name, the value and the expected values", (name, value) => {
    expect(failure({ [name]: value })).toMatch(new RegExp(`${name}: expected .+, got ${JSON.stringify(value)}$`));
  });

  it("names every wrong variable at once", () => {
    expect(failure({ HALO_PORT: "x", REDIS_PORT: "y" }).split("\n")).toHaveLength(3);
  });

  it("requires a password with a user name, and shows none", () => {
    expect(failure({ REDIS_USERNAME: "halo" })).toContain("REDIS_PASSWORD: expected a password");
    expect(failure({ REDIS_PASSWORD: "hush", PGPASSWORD: "hush", HALO_PORT: "x" })).not.toContain("hush");
  });
});
