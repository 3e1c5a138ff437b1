import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { painted } from "../../test/lib/page.ts";

test("a page without a largest paint is not the fastest one", async () => {
  const page = (time: number) => ({ evaluate: async () => time }) as unknown as Pick<Page, "evaluate">;
  await expect(painted(page(0))).rejects.toThrow("no largest paint");
  expect(await painted(page(812))).toBe(812);
});
