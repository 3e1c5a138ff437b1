import { defineConfig } from "vitest/config";

// Minutes each, and proved all the same by `npm run test:all`.
const atNight = ["acme", "bench", "load", "manyApps", "registryApps", "topology"].map(
  (name) => `test/system/${name}.test.ts`,
);
const compileCache = "test/lib/compileCache.ts";
const oneAtATime = { fileParallelism: false, maxWorkers: 1, testTimeout: 300_000, hookTimeout: 1_800_000 };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["app/test/unit/**/*.test.ts", "ops/test/**/*.test.ts"],
          globalSetup: compileCache,
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: "integration",
          include: ["app/test/integration/**/*.test.ts", "test/integration/**/*.test.ts"],
          globalSetup: [compileCache, "app/test/integration/support/setup.ts"],
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      { test: { name: "lint", include: ["test/lint/**/*.test.ts", "test/rules/**/*.test.ts"], testTimeout: 300_000 } },
      { test: { name: "life", include: ["test/life/**/*.test.ts"], bail: 1, ...oneAtATime, testTimeout: 900_000 } },
      // Hosts that are gone fail every test, and slowly.
      {
        test: {
          name: "system",
          include: ["test/system/**/*.test.ts"],
          exclude: process.env.HALO_TEST_ALL ? [] : atNight,
          bail: 20,
          ...oneAtATime,
        },
      },
      { test: { name: "vm", include: ["test/vm/**/*.test.ts"], ...oneAtATime, testTimeout: 5_400_000 } },
    ],
  },
});
