import { test } from "vitest";

/** Whether everything is to be proved, as `npm run test:all` does; `npm test` has a budget of time (ops/suites/suites.ts). */
export const wholeNight = Boolean(process.env.HALO_TEST_ALL);

/** A test that `npm run test:all` alone runs: it takes long, and a cheaper one in `npm test` sees most of its faults. */
export const atNight = test.runIf(wholeNight);

/** All of them by night, the first ones by day: each is the same test with another size, state or fault. */
export const someByDay = <T>(all: readonly T[], byDay: number): readonly T[] =>
  all.slice(0, wholeNight ? undefined : byDay);
